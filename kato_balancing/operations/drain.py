"""Drain a replica: no new sessions, then no requests, until nothing is in flight."""

import time
from collections.abc import Sequence
from typing import Final, Protocol

from kato_balancing.operations.in_flight import InFlight
from kato_balancing.operations.report import OperationError, ReplicaReport
from kato_balancing.operations.stack import Tell

DRAIN_LIMIT: Final = 600.0
"""Seconds that a replica may have something in flight, by default. The balancer itself ends what
takes longer than its ``drain.seconds`` after the reload."""

QUIET: Final = 2.0
"""Seconds without anything in flight that prove it: a reload takes effect within a second."""

_ASK_AGAIN: Final = 0.25


class Replicas(Protocol):
    """The replicas behind a balancer."""

    def names(self) -> Sequence[str]:
        """The replicas that run, in order."""

    def draining(self) -> Sequence[str]:
        """Those that are marked: they get no new work."""

    def mark(self, names: Sequence[str], tell: Tell) -> None:
        """Have exactly these marked; returns when the balancer has been told. A failure leaves
        the marks as they were."""

    def in_flight(self, name: str) -> InFlight:
        """What the replica still has to do."""


class Clock(Protocol):
    """Time that passes; the module ``time`` is one."""

    def monotonic(self) -> float:
        """Seconds since some moment."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


def drain(
    replicas: Replicas, name: str, *, limit: float, tell: Tell, clock: Clock = time
) -> ReplicaReport:
    """Mark the replica and wait until nothing is in flight; it stays marked.

    Raises OperationError when that would leave none that serves, or is not so after ``limit``
    seconds: it then stays marked too.
    """
    require_known(replicas, [name])
    marked = replicas.draining()
    if set(replicas.names()) <= {*marked, name}:
        raise OperationError(
            f"without {name} no replica would serve; raise the setting replicas, or take a mark "
            "away with 'kato-lb drain SERVER --undo'"
        )
    before = replicas.in_flight(name)
    started = clock.monotonic()
    tell(f"{name}: no new work; {before.connections} connections")
    if name not in marked:
        replicas.mark([*marked, name], tell)
    _wait(replicas, name, limit, tell, clock)
    return ReplicaReport(name, before.connections, clock.monotonic() - started, None)


def undo(replicas: Replicas, name: str, tell: Tell) -> None:
    """Take the replica's mark away, if it has one. Raises OperationError when there is no such
    replica."""
    require_known(replicas, [name])
    marked = replicas.draining()
    if name in marked:
        tell(f"{name}: gets work again")
        replicas.mark([one for one in marked if one != name], tell)


def require_known(replicas: Replicas, names: Sequence[str]) -> None:
    """Raise OperationError unless all of these run."""
    running = replicas.names()
    for name in names:
        if name not in running:
            known = ", ".join(running) or "none runs"
            raise OperationError(f"there is no replica {name!r}; use one of: {known}")


def _wait(replicas: Replicas, name: str, limit: float, tell: Tell, clock: Clock) -> None:
    started = clock.monotonic()
    quiet_since: float | None = None
    while True:
        left = replicas.in_flight(name)
        now = clock.monotonic()
        if left.nothing:
            quiet_since = now if quiet_since is None else quiet_since
            if now - quiet_since >= QUIET:
                return
        else:
            quiet_since = None
            counts = (
                f"{left.connections} connections, {left.old_processes} processes of the balancer "
                "from before the reload"
            )
            if now - started > limit:
                raise OperationError(f"{name} is not idle after {limit:g} s: {counts}")
            tell(f"{name}: {counts}")
        clock.sleep(_ASK_AGAIN)
