"""What a check's clients see, slice by slice of time, as it happens."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kato_balancing.report.run_document import Failures, Mark, Slice, Traffic
from kato_balancing.verify.asking import Answer
from kato_balancing.verify.explain import meaning
from kato_balancing.verify.load_report import latency_of

MOST_SLICES: Final = 300
"""As many as a plot can show; a longer load has longer slices."""

_TENTHS: Final = (1, 2, 5, 10, 20, 50, 100, 300, 600)
"""Lengths of a slice, in tenths of a second; the last one serves whatever is longer."""


@dataclass(slots=True)
class _Failed:
    first: float
    last: float
    count: int = 0


class TrafficRecord:
    """Counts answers by the moment at which they came. Not for several threads at once."""

    def __init__(self, failed: Callable[[Answer], bool] = lambda answer: not answer.ok) -> None:
        """``failed`` tells which answers count as failures: by default all but 200."""
        self._is_failed = failed
        self._began = time.monotonic()
        self._latencies: dict[int, list[float]] = defaultdict(list)
        self._failed: Counter[int] = Counter()
        self._failures: dict[tuple[str, str], _Failed] = {}
        self._servers: Counter[str] = Counter()

    def seconds(self) -> float:
        """Seconds since the record began."""
        return time.monotonic() - self._began

    def answered(self, method: str, answer: Answer, at: float | None = None) -> None:
        """A request is over; ``at`` in seconds since the record began, now by default."""
        when = self.seconds() if at is None else at
        tenth = int(when * 10)
        if not self._is_failed(answer):
            self._latencies[tenth].append(answer.seconds)
            if answer.server is not None:
                self._servers[answer.server] += 1
            return
        self._failed[tenth] += 1
        failed = self._failures.setdefault((answer.kind, method), _Failed(when, when))
        failed.last = when
        failed.count += 1

    def traffic(self, marks: Sequence[Mark] = (), seconds: float | None = None) -> Traffic:
        """What was seen so far; ``seconds`` is how long the load lasted, until now by default."""
        lasted = self.seconds() if seconds is None else seconds
        length = next((n for n in _TENTHS if n * MOST_SLICES >= lasted * 10), _TENTHS[-1])
        good = [latency for tenth in self._latencies.values() for latency in tenth]
        failed = self._failed.total()
        return Traffic(
            seconds=round(lasted, 3),
            requests=len(good) + failed,
            failed=failed,
            latency=latency_of(good),
            servers=dict(sorted(self._servers.items())),
            interval=length / 10,
            series=self._series(length),
            marks=tuple(marks),
            failures=tuple(
                Failures(kind, method, one.count, one.first, one.last, meaning(kind))
                for (kind, method), one in sorted(
                    self._failures.items(), key=lambda item: (-item[1].count, item[0])
                )
            ),
        )

    def _series(self, length: int) -> tuple[Slice, ...]:
        good: dict[int, list[float]] = defaultdict(list)
        failed: Counter[int] = Counter()
        for tenth, latencies in self._latencies.items():
            good[tenth // length] += latencies
        for tenth, count in self._failed.items():
            failed[tenth // length] += count
        return tuple(
            Slice(
                at=number * length / 10,
                requests=len(good[number]) + failed[number],
                failed=failed[number],
                latency=latency_of(good[number]),
            )
            for number in sorted(good.keys() | failed.keys())
        )
