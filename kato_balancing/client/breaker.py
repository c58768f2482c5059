"""A circuit breaker per instance, and how many of them may be open at a time.

Why not a library: pybreaker goes half-open only when it is called, so a selection that skips open
breakers never tries one again; it counts exceptions, while a failing instance *answers* 5xx; and
none caps how many instances may be set aside. purgatory and aiobreaker are no longer kept.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """What a breaker lets through."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing, until its time is over."""
    HALF_OPEN = "half-open"
    """One call at a time, which decides."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a breaker opens, and for how long."""

    failures: int = 5
    """Failures in a row that open it."""
    seconds: float = 2.0
    """How long it stays open at first; doubled every time a trial fails."""
    most_seconds: float = 30.0
    """The longest time."""


class CircuitBreaker:
    """Opens after failures in a row; half-open by selection: when its time is over, the next
    selection gets one trial call. Thread-safe; ``clock`` gives seconds."""

    def __init__(
        self,
        settings: BreakerSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings or BreakerSettings()
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None
        self._open_for = self._settings.seconds
        self._trial_until = 0.0

    @property
    def state(self) -> BreakerState:
        """The state now."""
        with self._lock:
            if self._opened_at is None:
                return BreakerState.CLOSED
            over = self._clock() - self._opened_at >= self._open_for
            return BreakerState.HALF_OPEN if over else BreakerState.OPEN

    @property
    def opened_at(self) -> float | None:
        """The clock when it opened; None while closed."""
        return self._opened_at

    def selectable(self) -> bool:
        """True when a call may be given to the instance; changes nothing."""
        if self._opened_at is None:
            return True
        with self._lock:
            return self._opened_at is None or self._trial_is_due()

    def acquire(self) -> bool:
        """Begin a call: False when it must not be made. In the half-open state the first caller
        has the trial; it is given again when its outcome does not come within the open time."""
        if self._opened_at is None:
            return True
        with self._lock:
            if self._opened_at is None:
                return True
            if not self._trial_is_due():
                return False
            self._trial_until = self._clock() + self._open_for
            return True

    def _trial_is_due(self) -> bool:
        now = self._clock()
        since = now - (self._opened_at or 0.0)
        return since >= self._open_for and now >= self._trial_until

    def succeeded(self) -> None:
        """A call went well, or was the caller's own fault (4xx)."""
        if not self._failures and self._opened_at is None:
            return
        with self._lock:
            self._failures = 0
            self._opened_at = None
            self._trial_until = 0.0
            self._open_for = self._settings.seconds

    def failed(self) -> None:
        """A call failed: no connection, cut, silent, or 5xx."""
        with self._lock:
            self._failures += 1
            if self._opened_at is not None:
                if self._clock() - self._opened_at >= self._open_for:  # the trial
                    self._open_for = min(self._settings.most_seconds, self._open_for * 2)
                    self._opened_at = self._clock()
                    self._trial_until = 0.0
            elif self._failures >= self._settings.failures:
                self._opened_at = self._clock()


class BreakerBoard:
    """The breakers of a pool; at most half of the instances are set aside at a time."""

    def __init__(
        self,
        names: Iterable[str],
        settings: BreakerSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.breakers = {name: CircuitBreaker(settings, clock=clock) for name in names}

    def __getitem__(self, name: str) -> CircuitBreaker:
        return self.breakers[name]

    def set_aside(self) -> frozenset[str]:
        """Instances that get no call now: those that opened first, half of all at most."""
        refusing = [
            (breaker.opened_at or 0.0, name)
            for name, breaker in self.breakers.items()
            if breaker.opened_at is not None and not breaker.selectable()
        ]
        if not refusing:
            return frozenset()
        most = len(self.breakers) // 2
        return frozenset(name for _, name in sorted(refusing)[:most])
