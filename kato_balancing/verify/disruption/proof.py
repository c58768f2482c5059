"""Makes the events happen under a steady load, and counts what they cost."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kato_balancing.verify.disruption.cluster import Cluster, ClusterError
from kato_balancing.verify.disruption.events import DISRUPTIONS, Disruption
from kato_balancing.verify.disruption.names import Cost, DisruptionName
from kato_balancing.verify.explain import meaning
from kato_balancing.verify.load import LoadError, SteadyLoad
from kato_balancing.verify.load_report import FailedRequest, LoadReport, LostReport
from kato_balancing.verify.progress import Progress
from kato_balancing.verify.report import CheckResult, Verdict

CLIENTS: Final = 32
THINK_TIME: Final = 0.02
"""Seconds between an answer and the next request: the load shall not be what disturbs."""

LEAD: Final = 2.0
"""Seconds of load before the event."""

SETTLED: Final = "settled"
_RECOVERY: Final = 15.0
"""Seconds after which a store's outage must be over for every request that was sent since."""


@dataclass(frozen=True, slots=True)
class DisruptionFigures:
    """What an event cost."""

    seconds: float
    clients: int
    requests: int
    failed: dict[str, int]
    """Failed requests by method; ``GET`` reads, everything else writes."""
    acknowledged: int
    lost: int
    """Observations acknowledged, but not stored."""
    doubled: int
    """Observations stored more than once."""


def prove(
    url: str,
    cluster: Cluster,
    names: Sequence[DisruptionName],
    progress: Progress,
    *,
    timeout: float = 30.0,
    ca_file: str | None = None,
) -> list[CheckResult]:
    """Let the events of these names happen, one after another, with clients at ``url``.

    The next one begins when the stack has settled. Raises ClusterError when the stack is not
    settled to begin with.
    """
    cluster.wait_settled()
    chosen = [one for one in DISRUPTIONS if one.name in names]
    results = []
    for number, disruption in enumerate(chosen):
        progress(str(disruption.name), number, len(chosen))
        load = SteadyLoad(
            url, clients=CLIENTS, think_time=THINK_TIME, timeout=timeout, ca_file=ca_file
        )
        # Whoever waited for a store that went away asks once more.
        wait = max(_RECOVERY, timeout) if disruption.cost is Cost.OUTAGE else 0.0
        results.append(_one(disruption, cluster, load, wait + LEAD))
    return results


def _one(
    disruption: Disruption, cluster: Cluster, load: SteadyLoad, afterwards: float
) -> CheckResult:
    try:
        with load:
            time.sleep(LEAD)
            disruption.happen(cluster, load.mark)
            load.mark(SETTLED)
            time.sleep(afterwards)
        report, lost = load.report(), load.lost()
    except (ClusterError, LoadError) as error:
        return CheckResult(disruption.name, Verdict.UNDECIDED, None, "not decided", (str(error),))
    left = load.delete_sessions()
    figures = _figures(report, lost)
    wrong = _wrong(disruption.cost, report, lost)
    failed = sum(figures.failed.values())
    summary = (
        f"{failed} of {report.requests} requests failed ({disruption.cost} may), "
        f"{figures.lost} of {figures.acknowledged} acknowledged observations lost, "
        f"{figures.doubled} doubled, {report.seconds:.0f} s"
    )
    messages = [*wrong, *([left] if left else [])]
    verdict = Verdict.BROKEN if wrong else Verdict.HOLDS
    return CheckResult(disruption.name, verdict, figures, summary, tuple(messages), load.traffic())


def _figures(report: LoadReport, lost: LostReport) -> DisruptionFigures:
    return DisruptionFigures(
        seconds=report.seconds,
        clients=report.clients,
        requests=report.requests,
        failed={label: method.failed for label, method in report.methods.items()},
        acknowledged=lost.acknowledged,
        lost=len(lost.lost),
        doubled=len(lost.doubled),
    )


def _wrong(cost: Cost, report: LoadReport, lost: LostReport) -> list[str]:
    found = []
    if lost.lost:
        found.append(
            f"{len(lost.lost)} observations were acknowledged and are not stored: two processes "
            "wrote the same session, or the store lost what it had"
        )
    if lost.doubled:
        found.append(f"{len(lost.doubled)} observations are stored twice: a POST was repeated")
    unpaid = _UNPAID[cost](report)
    for kind, count in sorted(Counter(failure.kind for failure in unpaid).items()):
        methods = ", ".join(sorted({f.method for f in unpaid if f.kind == kind}))
        moments = [f.at for f in unpaid if f.kind == kind]
        found.append(
            f"{count} x {kind} ({methods}) between {min(moments):.1f} s and {max(moments):.1f} s "
            f"that the event does not explain: {meaning(kind)}"
        )
    return found


def _beyond_flight(report: LoadReport) -> list[FailedRequest]:
    """Failures that were not the one observation that a client had in flight at the kill."""
    seen: set[str] = set()
    found = []
    for failure in report.failures:
        if failure.method == "GET" or failure.path in seen:
            found.append(failure)
        seen.add(failure.path)
    return found


def _after_recovery(report: LoadReport) -> list[FailedRequest]:
    """Late failures of requests that were sent to a store that was back: KATO waits for the
    answer of one that went away without a limit, so that such a request may fail long after."""
    settled = next((mark.at for mark in report.marks if mark.event == SETTLED), 0.0)
    return [
        one
        for one in report.failures
        if one.at > settled + _RECOVERY and one.at - one.seconds > settled
    ]


_UNPAID: dict[Cost, Callable[[LoadReport], Sequence[FailedRequest]]] = {
    Cost.NOTHING: lambda report: report.failures,
    Cost.IN_FLIGHT: _beyond_flight,
    Cost.OUTAGE: _after_recovery,
}
"""The failures that an event of this cost does not explain."""
