"""A value that is computed again only when it has become old; one per process, as in KATO."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cached(Generic[T]):
    """The last result of a function, for a time in seconds."""

    def __init__(
        self, compute: Callable[[], Awaitable[T]], seconds: float, clock: Callable[[], float]
    ) -> None:
        self._compute = compute
        self._seconds = seconds
        self._clock = clock
        self._last: tuple[T, float] | None = None

    async def get(self) -> T:
        """The value, at most so many seconds old."""
        now = self._clock()
        if self._last is None or now >= self._last[1]:
            self._last = (await self._compute(), now + self._seconds)
        return self._last[0]
