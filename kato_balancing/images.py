"""Container image references: their parts, and which KATO releases may run."""

import re
from dataclasses import dataclass

from kato_balancing import kato

STAND_IN_NAME = "kato-stand-in"
"""Last part of the repository name of the stand-in that replaces KATO on closed networks."""

_REFERENCE = re.compile(
    r"(?P<repository>[a-z0-9]+(?:(?:[._-]|__|-+)[a-z0-9]+)*(?::[0-9]+(?=/))?"
    r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[.+-].*)?")


@dataclass(frozen=True)
class Image:
    """An image reference, taken apart."""

    repository: str
    tag: str | None
    digest: str | None

    @property
    def version(self) -> tuple[int, int, int] | None:
        """The version that the tag states, or None when it states none."""
        found = _VERSION.fullmatch(self.tag or "")
        return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None

    @property
    def is_stand_in(self) -> bool:
        """True for the stand-in, which answers like KATO but learns nothing."""
        return self.repository.rsplit("/", 1)[-1] == STAND_IN_NAME


def parse(reference: str) -> Image:
    """Take a reference apart. Raises ValueError with the rule and the cure when it has no form,
    or neither a tag nor a digest: what runs must be stated."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ValueError(
            f"{reference!r} is not an image reference; "
            "write registry/name:tag in lower case, for example " + kato.IMAGE
        )
    image = Image(found["repository"], found["tag"], found["digest"])
    if image.digest is None and image.tag in (None, "latest"):
        raise ValueError(
            f"{reference!r} has no fixed tag; name the version to run, for example {kato.IMAGE}"
        )
    return image


def check_kato(reference: str, *, predictions: bool = True) -> Image:
    """The KATO image, parsed; raises ValueError when its release must not run.

    ``predictions`` is KATO's ``PROCESS_PREDICTIONS``: without it the dead-lock of releases below
    5.0.2 can't happen, so they are let through. A reference whose tag states no version (a digest
    alone, a branch name) is let through as well: nothing can be said about it.
    """
    image = parse(reference)
    if image.version is not None and image.version < kato.MINIMUM_VERSION and predictions:
        minimum = ".".join(map(str, kato.MINIMUM_VERSION))
        raise ValueError(
            f"KATO {image.tag} can dead-lock when two sessions of one node overlap; "
            f"use {minimum} or newer (default {kato.IMAGE}), "
            "or set PROCESS_PREDICTIONS to false"
        )
    return image


def advice(image: Image) -> str | None:
    """A warning about a release that may run but should not, or None."""
    if image.version is None or image.version >= kato.ADVISED_VERSION:
        return None
    advised = ".".join(map(str, kato.ADVISED_VERSION))
    return (
        f"KATO {image.tag} ranks predictions with stale statistics when another replica has "
        f"learned; {advised} and newer do not."
    )
