"""Session ids in KATO's own form, to try a ring with."""

import random
from collections.abc import Iterator

FIRST_MOMENT = 1_760_000_000_000
"""Milliseconds since 1970 of the first id."""


def session_ids(count: int, seed: int = 0) -> Iterator[str]:
    """``session-<32 hexadecimal digits>-<milliseconds>``; the same ones for the same seed."""
    source = random.Random(seed)  # noqa: S311 - a sample, not a secret
    for index in range(count):
        yield f"session-{source.getrandbits(128):032x}-{FIRST_MOMENT + 37 * index}"
