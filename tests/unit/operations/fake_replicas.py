"""Replicas and a clock that are only numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kato_balancing.operations.in_flight import InFlight
from kato_balancing.operations.stack import StackError, Tell


@dataclass
class FakeClock:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


@dataclass
class FakeReplicas:
    """Work ends ``busy_seconds`` after the mark; ``returns`` are moments at which some comes again.

    ``fails`` names steps that end with StackError, such as "replace kato-1".
    """

    clock: FakeClock
    running: list[str] = field(default_factory=lambda: ["kato-0", "kato-1", "kato-2"])
    marked: list[str] = field(default_factory=list)
    busy_seconds: float = 5.0
    old_process_seconds: float = 0.0
    returns: Sequence[tuple[float, float]] = ()
    fails: set[str] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)
    marked_at: dict[str, float] = field(default_factory=dict)

    def names(self) -> Sequence[str]:
        return self.running

    def draining(self) -> Sequence[str]:
        return list(self.marked)

    def mark(self, names: Sequence[str], tell: Tell) -> None:
        self._step(f"mark {','.join(names) or 'none'}", tell)
        self.marked_at = {name: self.marked_at.get(name, self.clock.now) for name in names}
        self.marked = list(names)

    def in_flight(self, name: str) -> InFlight:
        passed = self.clock.now - self.marked_at.get(name, self.clock.now)
        back = any(start <= passed < end for start, end in self.returns)
        old = name in self.marked and passed < self.old_process_seconds
        return InFlight(7 if passed < self.busy_seconds or back else 0, int(old))

    def replace(self, name: str, tell: Tell) -> None:
        assert self.marked == [name] or name in self.marked
        self._step(f"replace {name}", tell)
        self.clock.now += 3.0

    def _step(self, step: str, tell: Tell) -> None:
        self.steps.append(step)
        tell(step)
        if step in self.fails:
            raise StackError(f"{step}: the engine failed")
