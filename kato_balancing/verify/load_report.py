"""What a steady load went through, as data."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kato_balancing.report.run_document import Latency, Mark

__all__ = [
    "FailedRequest",
    "Latency",
    "LoadReport",
    "LostReport",
    "Mark",
    "MethodFigures",
    "latency_of",
]


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """One request that was not answered by 200."""

    at: float
    """Seconds from the start of the load to the moment the failure was known."""
    method: str
    path: str
    kind: str
    """The status code or the name of the exception."""
    seconds: float
    """How long the request took to fail."""
    token: str | None
    """The observation that it carried, if any."""


@dataclass(frozen=True, slots=True)
class MethodFigures:
    """All requests of one method."""

    ok: int
    failed: int
    kinds: dict[str, int]
    """Failures by status code or exception."""
    latency: Latency | None
    """``None`` when nothing went well."""
    over_a_second: int
    """Requests, good or failed, that took longer than 1 s."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What the load did so far, or in all."""

    seconds: float
    clients: int
    requests: int
    failed: int
    in_flight_max: int
    acknowledged: int
    """Observations that were answered by 200."""
    sessions: int
    methods: dict[str, MethodFigures]
    """By method: ``POST`` observes, ``GET`` reads a session, ``POST /sessions`` creates one."""
    servers: dict[str, int]
    """Good answers by the server that made them, as far as the balancer names it."""
    failures: tuple[FailedRequest, ...]
    marks: tuple[Mark, ...]
    ended: str | None
    """Why the load ended by itself, ``None`` when it runs or was stopped."""

    def failures_between(self, start: float, end: float) -> tuple[FailedRequest, ...]:
        """The failures known from ``start`` to ``end``, in seconds since the load began."""
        return tuple(f for f in self.failures if start <= f.at <= end)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON types; the order of the keys never changes."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LostReport:
    """What the load wrote, against what KATO holds."""

    acknowledged: int
    lost: tuple[str, ...]
    """Observations acknowledged, but not stored."""
    doubled: tuple[str, ...]
    """Observations stored more than once."""
    unacknowledged_present: tuple[str, ...]
    """Observations that failed for the client, but are stored."""
    foreign: tuple[str, ...]
    """Strings stored in the load's sessions, but written by nobody here."""
    sessions: int

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON types; the order of the keys never changes."""
        return asdict(self)


def latency_of(seconds: Sequence[float]) -> Latency | None:
    """Percentiles (nearest rank) of ``seconds``, ``None`` when there are none."""
    if not seconds:
        return None
    ranked = sorted(seconds)

    def percentile(share: float) -> float:
        return ranked[max(0, math.ceil(share * len(ranked)) - 1)]

    return Latency(percentile(0.5), percentile(0.95), percentile(0.99), ranked[-1])
