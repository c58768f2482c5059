"""The running record of a load: written by its loop, read from any thread."""

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

from kato_balancing.report.run_document import Traffic
from kato_balancing.verify.asking import Answer
from kato_balancing.verify.load_report import (
    FailedRequest,
    LoadReport,
    Mark,
    MethodFigures,
    latency_of,
)
from kato_balancing.verify.traffic import TrafficRecord

SLOW: Final = 1.0
"""Seconds from which a request counts as slow."""


@dataclass(slots=True)
class WrittenSession:
    """A session and what was written to it."""

    session: str
    acknowledged: list[str] = field(default_factory=list)
    unacknowledged: list[str] = field(default_factory=list)


class LoadRecord:
    """Everything that a load's clients saw."""

    def __init__(self, clients: int) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._stopped_after: float | None = None
        self._clients = clients
        self._in_flight = 0
        self._in_flight_max = 0
        self._latencies: dict[str, list[float]] = defaultdict(list)
        self._slow: Counter[str] = Counter()
        self._kinds: dict[str, Counter[str]] = defaultdict(Counter)
        self._servers: Counter[str] = Counter()
        self._failures: list[FailedRequest] = []
        self._marks: list[Mark] = []
        self._written: list[WrittenSession] = []
        self._traffic = TrafficRecord()
        self._ended: str | None = None
        self.requests = 0

    def seconds(self) -> float:
        """Seconds since the load began, or that it lasted."""
        if self._stopped_after is not None:
            return self._stopped_after
        return time.monotonic() - self._began

    def sent(self) -> None:
        """A request leaves."""
        with self._lock:
            self.requests += 1
            self._in_flight += 1
            self._in_flight_max = max(self._in_flight_max, self._in_flight)

    def answered(
        self, label: str, method: str, path: str, answer: Answer, token: str | None
    ) -> None:
        """A request that left is over."""
        with self._lock:
            self._in_flight -= 1
            self._traffic.answered(method, answer, at=self.seconds())
            self._slow[label] += answer.seconds > SLOW
            if answer.ok:
                self._latencies[label].append(answer.seconds)
                if answer.server is not None:
                    self._servers[answer.server] += 1
                return
            self._kinds[label][answer.kind] += 1
            self._failures.append(
                FailedRequest(
                    at=self.seconds(),
                    method=method,
                    path=path,
                    kind=answer.kind,
                    seconds=answer.seconds,
                    token=token,
                )
            )

    def opened(self, session: str) -> WrittenSession:
        """A session was created; write to the result what becomes of its observations."""
        written = WrittenSession(session)
        with self._lock:
            self._written.append(written)
        return written

    def mark(self, event: str) -> None:
        """``event`` happens now."""
        with self._lock:
            self._marks.append(Mark(self.seconds(), event))

    def ends(self, why: str) -> None:
        """The load ends by itself; only the first reason counts."""
        with self._lock:
            self._ended = self._ended or why

    def stops(self) -> None:
        """The clock stands still from now on."""
        self._stopped_after = self.seconds()

    @property
    def ended(self) -> str | None:
        """Why the load ended by itself."""
        return self._ended

    def written(self) -> tuple[WrittenSession, ...]:
        """All sessions, those of the past too."""
        with self._lock:
            return tuple(self._written)

    def report(self) -> LoadReport:
        """What was seen so far."""
        with self._lock:
            labels = sorted(self._latencies.keys() | self._kinds.keys())
            return LoadReport(
                seconds=self.seconds(),
                clients=self._clients,
                requests=self.requests,
                failed=len(self._failures),
                in_flight_max=self._in_flight_max,
                acknowledged=sum(len(w.acknowledged) for w in self._written),
                sessions=len(self._written),
                methods={label: self._method(label) for label in labels},
                servers=dict(sorted(self._servers.items())),
                failures=tuple(self._failures),
                marks=tuple(self._marks),
                ended=self._ended,
            )

    def traffic(self) -> Traffic:
        """What was seen so far, slice by slice."""
        with self._lock:
            return self._traffic.traffic(self._marks, self.seconds())

    def _method(self, label: str) -> MethodFigures:
        latencies = self._latencies.get(label, [])
        kinds = self._kinds.get(label, Counter())
        return MethodFigures(
            ok=len(latencies),
            failed=kinds.total(),
            kinds=dict(sorted(kinds.items())),
            latency=latency_of(latencies),
            over_a_second=self._slow[label],
        )
