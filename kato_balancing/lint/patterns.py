"""Runs the regular expressions of a judged file on short samples, without trusting them."""

import re
from functools import lru_cache
from typing import Final

_MOST_CHARACTERS: Final = 500
_MOST_REPEATS: Final = 3
"""Repeats in a row cost (length of the sample) to the power of their number; samples have up to
70 characters, so three are a few 100,000 steps at the most."""

_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_REPEAT = re.compile(r"[*+]|\{\d*,?\d*\}")
_REPEATED_GROUP = re.compile(r"\)(?:[*+]|\{\d*,?\d*\})")
_PLAIN_GROUP = re.compile(r"\((?:\?:)?[^()|*+?{}]*\)[*+]")
"""A repeated group of plain characters: there is one way only to match it."""


@lru_cache(maxsize=512)
def compiled(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str] | None:
    """The PCRE pattern in Python's form; None when it is not understood or could run for long."""
    if len(pattern) > _MOST_CHARACTERS:
        return None
    bare = re.sub(r"\\.", "x", _CLASS.sub("x", pattern))
    if len(_REPEAT.findall(bare)) > _MOST_REPEATS:
        return None
    if _REPEATED_GROUP.search(_PLAIN_GROUP.sub("x", bare)):
        return None
    try:
        return re.compile(
            re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", pattern), re.IGNORECASE if ignore_case else 0
        )
    except (re.error, OverflowError, RecursionError):
        return None
