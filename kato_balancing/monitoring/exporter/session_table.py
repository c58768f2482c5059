"""Which server answered each live session last: bounded, and forgotten when it is quiet."""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

LIVE_SECONDS = 600.0
"""A session that was quiet for longer counts as gone."""

SUSPECT_SECONDS = 60.0
"""Two servers that answer one session within this time may both have had it in hand."""

CAPACITY = 100_000
"""Sessions that are known at once, in about 30 MB; the quietest is forgotten first."""


class Change(NamedTuple):
    """What an answer says about its session."""

    moved: bool
    """Another server answered it before."""
    soon: bool
    """... and less than SUSPECT_SECONDS ago."""


class SessionTable:
    """Times are seconds of a clock that never goes back."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._per_server: Counter[str] = Counter()
        self.crowded_out = 0
        """Live sessions that were forgotten for want of room; their next move is not seen."""

    def answered(self, session: str, server: str, now: float) -> Change:
        """Take note that the server answered the session."""
        before = self._known.get(session)
        if before is not None and now - before[1] > LIVE_SECONDS:
            self._forget(session)
            before = None
        self._known[session] = (server, now)
        self._known.move_to_end(session)
        self._per_server[server] += 1
        if before is None:
            self._make_room(now)
            return Change(moved=False, soon=False)
        self._leave(before[0])
        moved = before[0] != server
        return Change(moved, moved and now - before[1] <= SUSPECT_SECONDS)

    def live(self, now: float) -> Mapping[str, int]:
        """Live sessions by the server that answered them last."""
        self._drop_quiet(now)
        return dict(self._per_server)

    def _make_room(self, now: float) -> None:
        if len(self._known) <= self._capacity:
            return
        self._drop_quiet(now)
        while len(self._known) > self._capacity:
            self._forget(next(iter(self._known)))
            self.crowded_out += 1

    def _drop_quiet(self, now: float) -> None:
        while self._known:
            session, (_, seen) = next(iter(self._known.items()))
            if now - seen <= LIVE_SECONDS:
                return
            self._forget(session)

    def _forget(self, session: str) -> None:
        self._leave(self._known.pop(session)[0])

    def _leave(self, server: str) -> None:
        self._per_server[server] -= 1
        if not self._per_server[server]:
            del self._per_server[server]
