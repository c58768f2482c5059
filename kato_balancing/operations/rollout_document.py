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
    rollout.Verdict.UNWATCHED: Verdict.BROKEN,
}
_TAKEN_BACK: Final = "was taken back to 0 %."
_WHAT_NOW: Final = {
    rollout.Verdict.GOOD: "The canary has its last share; --promote makes it the stable version.",
    rollout.Verdict.WORSE: f"The canary is worse and {_TAKEN_BACK}",
    rollout.Verdict.UNDECIDED: "Not decided: the share stays; run it again to go on.",
    rollout.Verdict.UNWATCHED: f"The canary could not be watched and {_TAKEN_BACK}",
}


def document(
    url: str, began: datetime, steps: Sequence[rollout.Step], failed: str | None = None
) -> Run:
    """The run of a rollout that began then and took these steps, at least one; ``failed`` says
    why a deployment after them did."""
    last = steps[-1]
    verdict, message = _VERDICTS[last.verdict], _WHAT_NOW[last.verdict]
    if failed is not None:
        verdict, message = Verdict.BROKEN, failed
    check = Check(
        name="rollout",
        verdict=verdict,
        summary=f"{last.share:g} %: {last.why}",
        figures={"reached": last.share, "steps": len(steps)},
        messages=(message,),
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
