"""Two ways of doing a thing, timed in turn, so that a slow moment of the machine hits both."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from dev.toolchain.steps import say


@dataclass(frozen=True)
class Comparison:
    """Paired timings, in seconds."""

    title: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    aim: float
    """The ratio that should not be exceeded."""

    @property
    def ratio(self) -> float:
        """Median of the ratios, pair by pair."""
        return median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def holds(self) -> bool:
        """True when the ratio is within the aim."""
        return self.ratio <= self.aim


def compare(
    title: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    rounds: int,
    aim: float,
) -> Comparison:
    """Time both in turn, once for warming up and then ``rounds`` times."""
    pairs: list[tuple[float, float]] = []
    for turn in range(rounds + 1):
        pair = (ours(), theirs())
        say(f"{title}: round {turn}: {pair[0]:.2f} s / {pair[1]:.2f} s")
        if turn:
            pairs.append(pair)
    return Comparison(title, tuple(a for a, _ in pairs), tuple(b for _, b in pairs), aim)
