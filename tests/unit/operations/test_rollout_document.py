"""A rollout's document is one that the report reads, whatever was seen."""

from datetime import UTC, datetime

import pytest

from kato_balancing.operations.rollout import PoolFigures, Step, Verdict
from kato_balancing.operations.rollout_document import document
from kato_balancing.report.page import page
from kato_balancing.report.run_document import Run

BEGAN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
BUSY = PoolFigures(1000.4, 1.6, 0.02, 0.01, 0.03)
SILENT = PoolFigures(0, 0, None)


@pytest.mark.parametrize(
    ("verdict", "holds"),
    [(Verdict.GOOD, True), (Verdict.WORSE, False), (Verdict.UNDECIDED, None)],
)
def test_the_last_steps_verdict_is_the_runs(verdict: Verdict, holds: bool | None) -> None:
    steps = [
        Step(5, 8.0, 30.0, BUSY, BUSY, Verdict.GOOD, "fine"),
        Step(100, 50.0, 30.0, SILENT, BUSY, verdict, "5.0 % errors <b>"),
    ]

    run = document("http://127.0.0.1:8080", BEGAN, steps)

    assert run.holds is holds
    assert Run.from_dict(run.to_dict()) == run
    assert (run.steps[0].primary.requests, run.steps[0].primary.failed) == (1000, 2)
    text = page(run)
    assert "5.0 % errors &lt;b&gt;" in text
    assert "<b>" not in text


def test_a_deployment_that_failed_is_no_good_end() -> None:
    steps = [Step(100, 8.0, 30.0, BUSY, BUSY, Verdict.GOOD, "fine")]

    run = document("http://127.0.0.1:8080", BEGAN, steps, "'pulumi up' ended with 255")

    assert run.holds is False
    assert run.checks[0].messages == ("'pulumi up' ended with 255",)
