"""HAProxy's configuration syntax: sections of lines in, text out, every word quoted as it needs."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BARE = re.compile(r"[A-Za-z0-9_./:=@,*^~()+%<>?\[\]-]+|!?[{}]")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f]")
_INDENT = "    "

MOST_WORDS = 64
"""HAProxy refuses a line with more words than this."""


@dataclass(frozen=True)
class Line:
    """One line of a section."""

    words: tuple[str, ...]
    comment: str = ""


@dataclass(frozen=True)
class Section:
    """A section such as ``backend kato`` with its lines."""

    words: tuple[str, ...]
    lines: tuple[Line, ...]
    comment: str = ""


def line(*words: object, comment: str = "") -> Line:
    """A line; each argument is one word, whatever characters it has."""
    return Line(tuple(map(str, words)), comment)


def section(*words: object, inside: Iterable[Line], comment: str = "") -> Section:
    """A section."""
    return Section(tuple(map(str, words)), tuple(inside), comment)


def quote(word: str) -> str:
    """The word as HAProxy reads it back. Raises ValueError for control characters, which no
    setting may hold.

    Nothing is special between single quotes, where a double-quoted word would still expand
    environment variables.
    """
    if _FORBIDDEN.search(word):
        raise ValueError(f"control character in {word!r}")
    if _BARE.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def text(sections: Iterable[Section]) -> str:
    """The sections as a file. Raises ValueError for a line that HAProxy would not take."""
    return "\n".join("\n".join(_lines(item)) + "\n" for item in sections)


def _lines(item: Section) -> Iterator[str]:
    yield from (f"# {comment}" for comment in item.comment.splitlines())
    yield _joined(item.words)
    for inner in item.lines:
        yield from (f"{_INDENT}# {comment}" for comment in inner.comment.splitlines())
        yield _INDENT + _joined(inner.words)


def _joined(words: tuple[str, ...]) -> str:
    if len(words) > MOST_WORDS:
        raise ValueError(f"{len(words)} words in one line; HAProxy takes {MOST_WORDS}")
    return " ".join(map(quote, words))
