"""What this client knows about the sessions that it writes."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from kato_balancing.client._effects import Effect, Memory

MOST_SESSIONS: Final = 100_000
"""Sessions remembered; the one that was idle for longest is forgotten first. A forgotten session
costs one read of its memory at the next write."""


@dataclass(slots=True)
class Pending:
    """A write that was sent and that nobody knows the end of."""

    instance: str
    sent_at: float
    """The client's clock just before it was sent."""
    cut: bool
    """The connection ended; else there was silence, and it may run at any time."""
    effect: Effect
    action: str
    before: Memory | None
    refused_since: float | None = None
    """Since when its instance refuses connections."""

    @property
    def waits_for_lock(self) -> bool:
        """True when KATO reads the session only under its lock: then it can come late without
        harm to what the same process stored before."""
        return self.action in ("observe", "observe-sequence")


@dataclass(slots=True)
class Ledger:
    """One session. All but ``lock`` may be touched by the lock's holder only."""

    session: str
    lock: Any
    memory: Memory | None = None
    """None: unknown."""
    pending: Pending | None = None
    late: list[Pending] = field(default_factory=list)
    """Silent observations that their instance has passed over and that may come late. Until they
    are over the session stays with that instance, whose lock keeps them in line."""


class Ledgers:
    """All sessions; thread-safe."""

    def __init__(self, new_lock: Callable[[], Any], most: int = MOST_SESSIONS) -> None:
        self._new_lock = new_lock
        self._most = most
        self._held: OrderedDict[str, Ledger] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, session: str) -> Ledger:
        """The session's ledger, a new one if there is none."""
        with self._lock:
            found = self._held.get(session)
            if found is None:
                found = self._held[session] = Ledger(session, self._new_lock())
                self._forget_oldest()
            else:
                self._held.move_to_end(session)
            return found

    def created(self, session: str) -> None:
        """A session was made here: its memory is empty."""
        self.of(session).memory = Memory(0)

    def drop(self, session: str) -> None:
        """The session is deleted."""
        with self._lock:
            self._held.pop(session, None)

    def pending(self) -> int:
        """Sessions with a write whose end is unknown."""
        with self._lock:
            return sum(1 for one in self._held.values() if one.pending is not None or one.late)

    def __len__(self) -> int:
        return len(self._held)

    def _forget_oldest(self) -> None:
        # What is in use or undecided stays: forgetting it would let a second write overlap.
        while len(self._held) > self._most:
            for session, one in self._held.items():
                if one.pending is None and not one.late and not one.lock.locked():
                    del self._held[session]
                    break
            else:
                return
