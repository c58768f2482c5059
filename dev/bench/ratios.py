"""Two ways of doing a thing, measured in turn, so that a slow moment of the machine hits both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from dev.toolchain.steps import say


@dataclass(frozen=True)
class Aim:
    """Where a ratio should be: at most at a number when less is better, else at least."""

    number: float
    at_least: bool = False

    def holds(self, ratio: float) -> bool:
        """True when the ratio is where it should be."""
        return ratio >= self.number if self.at_least else ratio <= self.number

    def __str__(self) -> str:
        number = f"{self.number:.1f}" if round(self.number, 1) == self.number else self.number
        return f"{'≥' if self.at_least else '≤'} {number}"


@dataclass(frozen=True)
class Comparison:
    """Paired measurements, in a unit such as seconds or requests per second."""

    title: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    aim: Aim | None
    """None: the ratio is only shown."""
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """Median of the ratios, pair by pair."""
        return median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def holds(self) -> bool:
        """True unless the ratio misses its aim."""
        return self.aim is None or self.aim.holds(self.ratio)


def compare(
    title: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    rounds: int,
    aim: Aim | None,
    unit: str = "s",
) -> Comparison:
    """Measure both in turn, once for warming up and then ``rounds`` times."""
    pairs: list[tuple[float, float]] = []
    for turn in range(rounds + 1):
        found = one_round(turn, {"ours": ours, "theirs": theirs})
        pair = (found["ours"], found["theirs"])
        say(f"{title}: round {turn}: {pair[0]:,.2f} {unit} / {pair[1]:,.2f} {unit}")
        if turn:
            pairs.append(pair)
    return Comparison(title, tuple(a for a, _ in pairs), tuple(b for _, b in pairs), aim, unit)


def one_round(turn: int, ways: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Measure each way once; every other turn the other way round, so that neither what the
    machine does while time goes by nor what one way leaves to the next is on one side only."""
    return {name: ways[name]() for name in (ways if turn % 2 else reversed([*ways]))}
