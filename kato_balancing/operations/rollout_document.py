"""A rollout as the document that ``kato-lb report`` makes a page of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kato_balancing.operations import rollout
from kato_balancing.report.run_document import (
    Check,
    Kind,
    Latency,
    PoolFigures,
    Run,
    Step,
    Verdict,
)

_VERDICTS: Final = {
    rollout.Verdict.GOOD: Verdict.HOLDS,
    rollout.Verdict.WORSE: Verdict.BROKEN,
    rollout.Verdict.UNDECIDED: Verdict.UNDECIDED,
}
_WHAT_NOW: Final = {
    Verdict.HOLDS: "The canary has its last share; --promote makes it the stable version.",
    Verdict.BROKEN: "The canary is worse and was taken back to 0 %: no session is with it.",
    Verdict.UNDECIDED: "Too few requests to decide: the share stays; run it again to go on.",
}


def document(url: str, began: datetime, steps: Sequence[rollout.Step]) -> Run:
    """The run of a rollout that began then and took these steps, at least one."""
    last = steps[-1]
    verdict = _VERDICTS[last.verdict]
    check = Check(
        name="rollout",
        verdict=verdict,
        summary=f"{last.share:g} %: {last.why}",
        figures={"reached": last.share, "steps": len(steps)},
        messages=(_WHAT_NOW[verdict],),
        traffic=None,
    )
    return Run(Kind.ROLLOUT, url, began, (check,), tuple(_step(step) for step in steps))


def _step(step: rollout.Step) -> Step:
    return Step(
        share=float(step.share),
        at=max(0.0, step.at),
        seconds=step.seconds,
        primary=_pool(step.stable),
        canary=_pool(step.canary),
        verdict=_VERDICTS[step.verdict],
        why=step.why,
    )


def _pool(pool: rollout.PoolFigures) -> PoolFigures:
    latency = None
    if pool.p50 is not None and pool.p95 is not None and pool.p99 is not None:
        latency = Latency(pool.p50, pool.p95, pool.p99, None)
    # Prometheus extrapolates counts to fractions.
    return PoolFigures(round(pool.requests), round(pool.errors), latency)
