"""Image references as they are found anywhere: parts, without refusing any."""

import re
from dataclasses import dataclass
from typing import Final

from kato_balancing.images import STAND_IN_NAME

_VERSION: Final = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[.+-].*)?")
_MOVING: Final = frozenset(
    {"latest", "stable", "main", "master", "edge", "nightly", "dev", "develop", "alpine", "slim"}
)
"""Tags that are moved to another image as a habit."""


@dataclass(frozen=True)
class Reference:
    """``registry/repository:tag@digest``; a registry's port is not taken for a tag."""

    repository: str
    tag: str
    digest: str

    @property
    def last_name(self) -> str:
        """The repository's last part."""
        return self.repository.rsplit("/", 1)[-1]

    @property
    def is_kato(self) -> bool:
        """KATO's own image, a mirror of it, or the stand-in."""
        return self.last_name in ("kato", STAND_IN_NAME)

    @property
    def version(self) -> tuple[int, int, int] | None:
        """The version that the tag states."""
        found = _VERSION.fullmatch(self.tag)
        return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None

    @property
    def moves(self) -> bool:
        """True when the tag is moved to other images, or there is none."""
        return not self.tag or self.tag.lower() in _MOVING

    @property
    def registry(self) -> str:
        """The registry's host, docker.io when none is named."""
        first, slash, _ = self.repository.partition("/")
        named = slash and ("." in first or ":" in first or first == "localhost")
        return first if named else "docker.io"


def parse(text: str) -> Reference:
    """The parts; missing ones are empty."""
    rest, _, digest = text.partition("@")
    head, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    return Reference(f"{head}{slash}{name}", tag, digest)
