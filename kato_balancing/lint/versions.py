"""Which version a file is judged for."""

import re
from typing import Final

from kato_balancing.targets import Version, parse_version

_HEADER: Final = re.compile(r"\A# KATO behind (?:nginx|HAProxy) (\d+\.\d+(?:\.\d+)?)\. ")
"""First line of the files that this project renders."""

_NEWEST: Final = 9999


def branch(version: Version) -> Version:
    """``1.30`` is any 1.30: its newest patch, since nobody who names a branch runs the first."""
    return version if version[2] else (version[0], version[1], _NEWEST)


def version_of(text: str, stated: Version | None) -> Version | None:
    """The version that the caller states, else the one in the file's own header."""
    if stated is not None:
        return branch(stated)
    header = _HEADER.match(text)
    return None if header is None else branch(parse_version(header[1]))


def shown(version: Version) -> str:
    """The version as people write it."""
    return ".".join(map(str, version[:2] if version[2] in (0, _NEWEST) else version))
