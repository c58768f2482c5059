"""What a rule says about a resource."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from .values import Undecided, Value


@dataclass(frozen=True, slots=True)
class Broken:
    """A property that breaks the rule, whatever the unknown ones turn out to be."""

    urn: str
    path: str
    seen: str
    cure: str = ""
    """A cure that fits better than the rule's own."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """A property that must be known before the rule can be judged."""

    urn: str
    path: str


Hit = Broken | Unverified

ItemT = TypeVar("ItemT")


def broken(value: Value, seen: str, cure: str = "") -> Broken:
    """A finding at this property."""
    return Broken(value.urn, value.path, seen, cure)


def judged(check: Callable[[], Iterable[Hit]]) -> Iterator[Hit]:
    """The hits of one self-contained question; an open one becomes Unverified."""
    try:
        yield from check()
    except Undecided as undecided:
        yield Unverified(undecided.urn, undecided.path)


def each(items: Iterable[ItemT], check: Callable[[ItemT], Iterable[Hit]]) -> Iterator[Hit]:
    """The hits of every item; one open question does not hide the others."""
    for item in items:
        try:
            yield from check(item)
        except Undecided as undecided:
            yield Unverified(undecided.urn, undecided.path)


_SECRET_NAME: Final = re.compile(
    r"pass(?:word|wd)?|secret|token|credential|api_?key|private_?key", re.IGNORECASE
)
_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_HEADER: Final = re.compile(r"(?i)\b(bearer|basic)\s+\S+")
_LONG: Final = 60
MASK: Final = "…"


def shown(data: object) -> str:
    """A value for a message: short, and nothing in it that could be a credential."""
    if isinstance(data, float) and data.is_integer():
        data = int(data)
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, str):
        return f"'{clipped(masked(data))}'"
    if isinstance(data, int | float):
        return str(data)
    if data is None:
        return "not set"
    return (
        f"a {'list' if isinstance(data, list) else 'map'} of {len(data)}"
        if isinstance(data, list | dict)
        else type(data).__name__
    )


def masked(text: str) -> str:
    """The text without the credentials that URLs and headers carry."""
    return _HEADER.sub(lambda found: f"{found[1]} {MASK}", _IN_URL.sub(MASK, text))


def clipped(text: str) -> str:
    """One short line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONG else line[: _LONG - 1] + MASK


def names_a_secret(name: str) -> bool:
    """True when a variable or key of this name holds a credential, by its name."""
    return bool(_SECRET_NAME.search(name)) and not name.lower().endswith(("_file", "_path"))
