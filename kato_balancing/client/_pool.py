"""Which instance a call goes to: placement, health, breakers and measurements together."""

from dataclasses import dataclass

from kato_balancing.client._health_state import HealthTable
from kato_balancing.client._outcomes import Kind, Outcome
from kato_balancing.client._pacing import Clock
from kato_balancing.client.breaker import BreakerBoard, BreakerState
from kato_balancing.client.instances import Instance, Placement
from kato_balancing.client.policy import Policy
from kato_balancing.client.weighting import MetricsWeighting

NOBODY: frozenset[str] = frozenset()

_FAILURES = (Kind.NOT_SENT, Kind.FAILED, Kind.CUT, Kind.SILENT)
"""Count against an instance. Not NOT_RUN: an instance at its connection limit is busy, and setting
it aside would move its sessions while it still works for them."""

COMPARABLE = ("", "observe", "stm", "exists")
"""Actions whose latencies say something about the instance; others depend on what was asked."""


@dataclass(frozen=True, slots=True)
class InstanceState:
    """One instance at a moment, for people and metrics."""

    name: str
    url: str
    up: bool
    breaker: BreakerState
    in_flight: int
    latency: float | None
    """Smoothed seconds of a short call; None when unknown."""
    check: str
    """What the last health check said."""


class Pool:
    """The instances of a client."""

    def __init__(self, instances: tuple[Instance, ...], policy: Policy, clock: Clock) -> None:
        self.instances = {one.name: one for one in instances}
        self.names = tuple(self.instances)
        self.placement = Placement(instances, policy.program)
        self.health = HealthTable(self.names, policy.health)
        self.breakers = BreakerBoard(self.names, policy.breaker, clock=clock)
        self.weighting = MetricsWeighting(self.names, policy.weighting, clock=clock)
        self._clock = clock
        self.health.listen(self._changed)

    def _changed(self, name: str, up: bool) -> None:
        if up:
            self.weighting.returned(name)
            # The checks prove that it serves: its share comes back with them.
            self.breakers[name].succeeded()

    def out(self) -> frozenset[str]:
        """Instances that get no call now; empty in panic."""
        down = self.health.down
        aside = self.breakers.set_aside()
        if not down and not aside:
            return NOBODY
        for out in (down | aside, down):
            if len(out) < len(self.names):
                return out
        return NOBODY

    def serving(self, without: frozenset[str] = NOBODY) -> list[str]:
        """Instances that may get a call, except those in ``without``."""
        out = self.out() | without
        return [name for name in self.names if name not in out] or [
            name for name in self.names if name not in without
        ]

    def owner(self, session: str, without: frozenset[str] = NOBODY) -> str | None:
        """The session's owner among the instances that serve; None when ``without`` has all."""
        out = self.out()
        if len(out | without) == len(self.names):
            out = NOBODY
        return self.placement.owner(session, out | without)

    def claim(self, session: str | None, tried: frozenset[str]) -> str | None:
        """An instance for a call, with its breaker's permission; None when all were tried."""
        refusing = tried
        first: str | None = None
        while True:
            name = self._pick(session, refusing)
            if name is None:
                return first
            first = first or name
            if self.breakers[name].acquire():
                return name
            refusing = refusing | {name}

    def _pick(self, session: str | None, without: frozenset[str]) -> str | None:
        if session is not None:
            return self.owner(session, without)
        serving = self.serving(without)
        return self.weighting.choose(serving) if serving else None

    def begin(self, name: str) -> float:
        """A call begins; returns the clock."""
        self.weighting.begin(name)
        return self._clock()

    def end(self, name: str, began: float, outcome: Outcome | None, comparable: bool) -> float:
        """It is over; returns its seconds. ``outcome`` None: it was cancelled."""
        seconds = self._clock() - began
        if outcome is None:
            self.weighting.end(name, None)
            return seconds
        failed = outcome.kind in _FAILURES
        measured = comparable and (not failed or outcome.kind is Kind.SILENT)
        self.weighting.end(name, seconds if measured else None)
        if failed:
            self.breakers[name].failed()
        elif outcome.kind is Kind.ANSWERED:
            self.breakers[name].succeeded()
        return seconds

    def states(self) -> list[InstanceState]:
        """All instances as they are now."""
        return [self._state(one) for one in self.instances.values()]

    def _state(self, one: Instance) -> InstanceState:
        last = self.health.last(one.name)
        return InstanceState(
            one.name,
            one.url,
            self.health.is_up(one.name),
            self.breakers[one.name].state,
            self.weighting.in_flight(one.name),
            self.weighting.latency(one.name),
            "not checked" if last is None else "ok" if last.ok else last.why,
        )
