"""How long, how often, how soon again: deadlines, backoff with jitter, the retry budget."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Clock = Callable[[], float]
"""Seconds that only ever grow."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment after which a call is over, whatever it waits for."""

    at: float
    clock: Clock

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> "Deadline":
        """``seconds`` from now."""
        return cls(clock() + seconds, clock)

    @property
    def left(self) -> float:
        """Seconds left, 0 when it is over."""
        return max(0.0, self.at - self.clock())


def backoff(attempt: int, base: float, cap: float, chance: Callable[[], float]) -> float:
    """Full jitter: anything from 0 to ``base`` doubled with every attempt (from 0), up to
    ``cap`` seconds."""
    return chance() * min(cap, base * 2.0 ** min(attempt, 30))


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds of a ``Retry-After`` header, a number or a date; None when it says nothing."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header.strip())
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


class RetryBudget:
    """A bucket of tokens: every call puts in a share of one, every repeat takes one.

    So repeats are at most ``share`` of the calls, with ``reserve`` in hand for a quiet client.
    """

    def __init__(self, share: float = 0.2, reserve: float = 50.0) -> None:
        self._share = share
        self._most = reserve
        self._tokens = reserve
        self._lock = threading.Lock()

    def call(self) -> None:
        """A call begins."""
        with self._lock:
            self._tokens = min(self._most, self._tokens + self._share)

    def take(self) -> bool:
        """Take a token for a repeat; False when there is none."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


def full_jitter() -> float:
    """A chance from 0 to 1."""
    return random.random()  # noqa: S311 - spreads load, keeps no secret
