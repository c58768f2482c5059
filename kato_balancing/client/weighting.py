"""Where new sessions should go, by what was measured; live sessions stay where they are."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

SLOW_KEEPS: Final = 0.7
FAST_KEEPS: Final = 0.9
"""Parts of the smoothed latency that one slower, or faster, answer leaves."""
MOST_SLOWER: Final = 2.0
"""One answer counts for at most this multiple of the smoothed latency: a hiccup of the caller's own
machine, which delays all calls of a moment, makes no instance slow; one that is ten times slower
passes three times the others' latency with its fifth answer."""


@dataclass(frozen=True, slots=True)
class WeightingSettings:
    """How measurements count. Times are seconds."""

    decay: float = 10.0
    """A latency of this age counts 1/e at most."""
    stale: float = 10.0
    """Without a measurement for this time an instance is unknown: it gets one trial at a time,
    never the bulk of the new sessions."""
    slow_start: float = 10.0
    """An instance that returns gets its share in steps over this time."""
    tolerance: float = 2.0
    """An owner is good enough for a new session up to this multiple of another's cost ..."""
    slower: float = 3.0
    """... and of another's latency alone up to this, however busy that one is."""


@dataclass(slots=True)
class _Measured:
    latency: float = 0.0
    at: float | None = None
    in_flight: int = 0
    returned_at: float | None = None
    tried_at: float | None = None


class MetricsWeighting:
    """Cost of an instance: latency times requests in flight plus one; the cheaper of two chosen
    at random wins.

    Two choices are also the cap: the best of n instances gets at most 2/n of the new sessions,
    so that a good measurement cannot draw all of them. Thread-safe.
    """

    def __init__(
        self,
        names: Iterable[str],
        settings: WeightingSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._settings = settings or WeightingSettings()
        self._clock = clock
        self._random = chance or random.Random()  # noqa: S311 - spreads load, keeps no secret
        self._lock = threading.Lock()
        self._measured = {name: _Measured() for name in names}

    def begin(self, name: str) -> None:
        """A call to the instance begins."""
        with self._lock:
            self._measured[name].in_flight += 1

    def end(self, name: str, seconds: float | None) -> None:
        """It is over; ``seconds`` None: its latency says nothing."""
        with self._lock:
            one = self._measured[name]
            one.in_flight -= 1
            if seconds is None:
                return
            now = self._clock()
            if one.at is None or self._is_stale(one, now):
                one.latency = seconds
            else:
                # A slow answer counts for more than a fast one: trouble is seen within a few
                # answers, one hiccup of a busy machine is not taken for it.
                most = SLOW_KEEPS if seconds > one.latency else FAST_KEEPS
                kept = min(exp(-(now - one.at) / self._settings.decay), most)
                seconds = min(seconds, one.latency * MOST_SLOWER)
                one.latency = one.latency * kept + seconds * (1 - kept)
            one.at = now

    def returned(self, name: str) -> None:
        """The instance serves again: its measurements are of the past."""
        with self._lock:
            one = self._measured[name]
            one.at = None
            one.returned_at = self._clock()

    def in_flight(self, name: str) -> int:
        """Calls to the instance now."""
        return self._measured[name].in_flight

    def latency(self, name: str) -> float | None:
        """Smoothed seconds of a call; None when unknown."""
        with self._lock:
            one = self._measured[name]
            return None if self._is_unknown(one) else one.latency

    def choose(self, candidates: Sequence[str]) -> str:
        """The instance for a new session. Raises ValueError without candidates."""
        if not candidates:
            raise ValueError("no candidates")
        with self._lock:
            one, *others = self._random.sample(candidates, min(2, len(candidates)))
            return one if not others or self._wins(one, others[0]) else others[0]

    def good_enough(self, owner: str, candidates: Sequence[str]) -> bool:
        """True when a new session may belong to ``owner``: compared with one other candidate."""
        others = [name for name in candidates if name != owner]
        if not others:
            return True
        with self._lock:
            other = self._random.choice(others)
            # A session stays for its life: an instance that was slow when it was last heard of is
            # tried by the making of a session that another one owns, not by a session of its own.
            return not self._was_slower(owner, other) and self._wins(
                owner, other, self._settings.tolerance
            )

    def has_slow(self, names: Iterable[str]) -> bool:
        """True when one is, or was when last heard of, so much slower than another that it should
        get no new sessions."""
        with self._lock:
            heard = [one.latency for name in names if (one := self._measured[name]).at is not None]
        return bool(heard) and max(heard) > min(heard) * self._settings.slower

    def _was_slower(self, one: str, other: str) -> bool:
        mine, theirs = self._measured[one], self._measured[other]
        return (
            mine.at is not None
            and theirs.at is not None
            and mine.latency > theirs.latency * self._settings.slower
        )

    def _wins(self, one: str, other: str, tolerance: float = 1.0) -> bool:
        mine, theirs = self._measured[one], self._measured[other]
        if not self._may_take(mine):
            return False
        if self._is_unknown(mine) or self._is_unknown(theirs):
            return self._trial(mine) if self._is_unknown(mine) else True
        # However busy the other is: what is this much slower has a trouble of its own.
        if self._was_slower(one, other):
            return False
        return self._cost(mine) <= self._cost(theirs) * tolerance

    def _trial(self, one: _Measured) -> bool:
        now = self._clock()
        if one.tried_at is not None and now - one.tried_at < self._settings.stale / 2:
            return all(self._is_unknown(m) for m in self._measured.values())
        one.tried_at = now
        return True

    def _may_take(self, one: _Measured) -> bool:
        if one.returned_at is None or self._settings.slow_start <= 0:
            return True
        share = (self._clock() - one.returned_at) / self._settings.slow_start
        if share >= 1:
            one.returned_at = None
            return True
        return self._random.random() < share

    def _cost(self, one: _Measured) -> float:
        return one.latency * (one.in_flight + 1)

    def _is_unknown(self, one: _Measured) -> bool:
        return one.at is None or self._is_stale(one, self._clock())

    def _is_stale(self, one: _Measured, now: float) -> bool:
        return one.at is not None and now - one.at > self._settings.stale
