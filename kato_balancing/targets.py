"""Server versions: which one a configuration is rendered for, and what it can't do."""

import re
from dataclasses import dataclass

Version = tuple[int, int, int]


class UnsupportedFeature(ValueError):  # noqa: N818 - a refusal, not a fault
    """A setting that the target can't do; nothing is rendered, so nothing is dropped.

    ``path`` is the setting, the message names the version that can, or the way round.
    """

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        self.message = message
        super().__init__(f"{path}: {message}")


@dataclass(frozen=True)
class Feature:
    """Something that a server program can do from a version on."""

    what: str
    since: Version


def parse_version(text: str) -> Version:
    """``1.30`` or ``1.30.4`` as numbers; raises ValueError for anything else."""
    found = re.fullmatch(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", text)
    if found is None:
        raise ValueError(f"{text!r} is not a version; write it as in 1.30 or 1.30.4")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def show(version: Version) -> str:
    """The version as people write it."""
    return ".".join(map(str, version[:2] if version[2] == 0 else version))
