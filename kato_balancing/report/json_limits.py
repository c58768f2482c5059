"""What every reader of JSON takes alike; a document with more than that is refused."""

from collections.abc import Iterator
from typing import Final

from kato_balancing.problems import Problem

LARGEST: Final = 2**53
"""Largest number, in either direction. No run counts or lasts that much."""
DEEPEST: Final = 50
"""How many levels of lists and groups lie in one another at most."""


def beyond_limits(document: object) -> Iterator[Problem]:
    """The values of a document as Python reads it that others read differently or not at all."""
    # A stack of its own: how deep a document is nested is its writer's choice.
    left: list[tuple[str, int, object]] = [("", 0, document)]
    while left:
        path, depth, value = left.pop()
        inner: list[tuple[str, int, object]] = []
        if isinstance(value, dict):
            for key, one in value.items():
                at = f"{path}.{_brief(key)}" if path else _brief(key)
                inner.append((at, depth + 1, one))
                if _not_text(key):
                    yield Problem(at, "has half a character in its name (a lone surrogate)")
        elif isinstance(value, list):
            inner += [(f"{path}[{index}]", depth + 1, one) for index, one in enumerate(value)]
        elif isinstance(value, int | float) and not abs(value) <= LARGEST:
            yield Problem(path, f"must be a finite number between -{LARGEST} and {LARGEST}")
        elif isinstance(value, str) and _not_text(value):
            yield Problem(path, "has half a character (a lone surrogate)")
        if inner and depth >= DEEPEST:
            yield Problem(path[:60], f"is nested too deeply: at most {DEEPEST} levels")
            return
        left += reversed(inner)


def _not_text(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _brief(name: str) -> str:
    # The message goes to a terminal.
    text = name.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 60 else text[:57] + "..."
