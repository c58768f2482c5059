"""Reads a rendered HAProxy configuration with an independent reader of its quoting rules."""

import re
from dataclasses import dataclass, field


@dataclass
class Part:
    """A section: its words and the words of its lines."""

    words: list[str]
    lines: list[list[str]] = field(default_factory=list)


SECTIONS = ("global", "defaults", "frontend", "backend", "resolvers", "peers", "crt-store")


_PIECE = re.compile(
    r"""
    (?P<space>[ \t]+) | (?P<comment>\#.*) | '(?P<strong>[^']*)'
    | "(?P<weak>(?:[^"\\$]|\\["\\$])*)" | \\(?P<escaped>.) | (?P<bare>[^ \t\#'"\\]+)
    """,
    re.VERBOSE,
)


def split(text: str) -> list[str]:
    """The words of one line, by the manual's chapter "Quoting and escaping"."""
    words: list[str | None] = [None]
    place = 0
    while place < len(text):
        found = _PIECE.match(text, place)
        assert found, f"no word starts at {text[place:]!r}: an open quote, or a variable in one"
        place = found.end()
        kind = str(found.lastgroup)
        if kind == "space":
            words.append(None)
        elif kind != "comment":
            piece = re.sub(r'\\(["\\$])', r"\1", found[kind]) if kind == "weak" else found[kind]
            words[-1] = (words[-1] or "") + piece
    return [word for word in words if word is not None]


def read(text: str) -> list[Part]:
    """The sections of a file."""
    assert text.endswith("\n"), "HAProxy wants a last line feed"
    parts: list[Part] = []
    for line in text.split("\n"):
        words = split(line)
        if not words:
            continue
        if words[0] in SECTIONS and not line.startswith(" "):
            parts.append(Part(words))
        else:
            parts[-1].lines.append(words)
    return parts


def part(text: str, *words: str) -> Part:
    """The section of these words."""
    [found] = [item for item in read(text) if tuple(item.words) == words]
    return found
