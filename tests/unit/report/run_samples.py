"""Runs written by hand, with every part that a document can have."""

from datetime import UTC, datetime

from kato_balancing.report.run_document import (
    Check,
    Failures,
    Kind,
    Latency,
    Mark,
    PoolFigures,
    Run,
    Slice,
    Step,
    Traffic,
    Verdict,
)

BEGAN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def _latency(second: int) -> Latency:
    slow = 0.03 if 20 <= second < 26 else 0.0
    wave = 0.001 * (second % 5)
    return Latency(0.004 + wave / 2, 0.009 + wave + slow / 2, 0.015 + wave + slow, 0.08 + slow)


def traffic() -> Traffic:
    """A minute of load: an outage of three seconds after the fourth of five events."""
    series = tuple(
        Slice(float(at), 240, 240, None)
        if 22 <= at < 24
        else Slice(float(at), 400 + at % 7, 35 if at in {21, 24} else 0, _latency(at))
        for at in range(60)
    )
    return Traffic(
        seconds=60.0,
        requests=sum(one.requests for one in series),
        failed=sum(one.failed for one in series),
        latency=Latency(0.0051, 0.014, 0.046, 0.4),
        servers={"kato-0": 7801, "kato-1": 8120, "kato-2": 7443},
        interval=1.0,
        series=series,
        marks=(
            Mark(2.0, "scale 3 → 4"),
            Mark(9.4, "settled"),
            Mark(14.0, "eviction of kato-1"),
            Mark(20.8, "kill of kato-redis-0"),
            Mark(41.3, "settled"),
        ),
        failures=(
            Failures("500", "POST", 330, 21.1, 24.4, "KATO failed inside: look into its log"),
            Failures("404", "GET", 220, 21.2, 24.4, "the session is unknown where it arrived"),
        ),
    )


def verify_run() -> Run:
    """A proof with a check that holds, one that does not, and one that could not begin."""
    return Run(
        kind=Kind.VERIFY,
        url="http://127.0.0.1:8080",
        began=BEGAN,
        checks=(
            Check(
                name="affinity",
                verdict=Verdict.HOLDS,
                summary="100.0% of 40 sessions on one server",
                figures={
                    "sessions": 40,
                    "one_server_share": 1.0,
                    "max_over_mean": 1.05,
                    "ways": [
                        {"way": "path", "requests": 160, "share_as_path": 1.0},
                        {"way": "header", "requests": 160, "share_as_path": None},
                    ],
                },
                messages=(),
                traffic=None,
            ),
            Check(
                name="redis-restart",
                verdict=Verdict.BROKEN,
                summary="550 of 24000 requests failed",
                figures={"acknowledged": 14120, "failed": {"GET": 220, "POST": 330}},
                messages=("330 x 500 (POST) between 21.1 s and 24.4 s",),
                traffic=traffic(),
            ),
            Check(
                name="keep-alive",
                verdict=Verdict.UNDECIDED,
                summary="not run",
                figures={},
                messages=("Not run, since KATO is not reachable: correct that first.",),
                traffic=None,
            ),
        ),
    )


def rollout_run() -> Run:
    """A rollout that stops at its second step."""
    good = Latency(0.004, 0.011, 0.02, 0.05)
    return Run(
        kind=Kind.ROLLOUT,
        url="http://127.0.0.1:8080",
        began=BEGAN,
        checks=(
            Check(
                name="rollout",
                verdict=Verdict.BROKEN,
                summary="stopped at 25 %, back to 0 %",
                figures={"reached": 25, "target": 100},
                messages=("The canary pool fails: the share is back at 0 %.",),
                traffic=traffic(),
            ),
        ),
        steps=(
            Step(
                share=5.0,
                at=2.0,
                seconds=12.0,
                primary=PoolFigures(4521, 0, good),
                canary=PoolFigures(240, 0, good),
                verdict=Verdict.HOLDS,
                why="0.0 % of the canary's requests failed (limit 1 %)",
            ),
            Step(
                share=25.0,
                at=14.0,
                seconds=12.0,
                primary=PoolFigures(3400, 2, good),
                canary=PoolFigures(1130, 548, None),
                verdict=Verdict.BROKEN,
                why="48.5 % of the canary's requests failed (limit 1 %)",
            ),
        ),
    )
