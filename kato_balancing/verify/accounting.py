"""Compare what was acknowledged with what is stored. Pure."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """The difference between what was written to a session and what it holds."""

    lost: tuple[str, ...]
    """Acknowledged, but not stored."""
    doubled: tuple[str, ...]
    """Written once, stored more than once, acknowledged or not."""
    unacknowledged_present: tuple[str, ...]
    """Stored although the writer was not told so: allowed, the answer got lost on its way."""
    foreign: tuple[str, ...]
    """Stored, but never written by us."""


def account(
    acknowledged: Collection[str], unacknowledged: Collection[str], stored: Collection[str]
) -> Account:
    """Account for every token; each tuple is sorted and names a token once.

    ``acknowledged`` and ``unacknowledged`` are the tokens written, each once and to this session
    only; ``stored`` is what the session holds, with repeats.
    """
    counts = Counter(stored)
    told = frozenset(acknowledged)
    untold = frozenset(unacknowledged) - told
    return Account(
        lost=tuple(sorted(told - counts.keys())),
        doubled=tuple(sorted(t for t in told | untold if counts[t] > 1)),
        unacknowledged_present=tuple(sorted(untold & counts.keys())),
        foreign=tuple(sorted(counts.keys() - told - untold)),
    )
