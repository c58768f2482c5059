"""The rollout's decisions, on a stack and figures that are made up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from kato_balancing.operations.rollout import (
    LEAD_SECONDS,
    SILENT_SECONDS,
    FiguresError,
    Limits,
    Plan,
    PoolFigures,
    Rollout,
    RolloutError,
    Verdict,
    described,
    judge,
    promote,
    take_back,
)
from kato_balancing.operations.rollout_figures import PrometheusFigures
from kato_balancing.operations.stack import StackError

GOOD = (PoolFigures(1000, 0, 0.01), PoolFigures(100, 0, 0.011))
BAD = (PoolFigures(1000, 2, 0.01), PoolFigures(100, 5, 0.011))
QUIET = (PoolFigures(1000, 0, 0.01), PoolFigures(3, 0, 0.011))
SILENT: Any = None
NOW = 1_795_600_000.0


@dataclass
class _Stack:
    """Keeps settings by their paths, and what was deployed."""

    canary: dict[str, Any] | None = field(default_factory=lambda: {"image": "kato:6.4.0"})
    deployed: list[dict[str, Any] | None] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)
    broken_at: float | None = None
    lag: str | None = None

    def setting(self, name: str) -> Any:
        return self.canary if name == "canary" else self.others.get(name)

    def configure(self, settings: Mapping[str, Any]) -> None:
        for path, value in settings.items():
            if path == "canary":
                self.canary = value
            elif path.startswith("canary.earlier["):
                assert self.canary is not None
                place, _, name = path.removeprefix("canary.earlier[").partition("].")
                earlier = self.canary.setdefault("earlier", [])
                earlier += [{} for _ in range(int(place) + 1 - len(earlier))]
                earlier[int(place)][name] = value
            elif path.startswith("canary."):
                assert self.canary is not None
                self.canary.pop(path.removeprefix("canary."), None)
                if value is not None:
                    self.canary[path.removeprefix("canary.")] = value
            else:
                self.others[path] = value

    def up(self, *, tell: Any) -> None:
        if self.broken_at is not None and self.canary and self.canary["share"] == self.broken_at:
            raise StackError("it broke")
        self.deployed.append(None if self.canary is None else {**self.canary})
        tell("deployed")

    def canary_lag(self) -> str | None:
        return self.lag

    @property
    def shares(self) -> list[Any]:
        return [None if one is None else one.get("share") for one in self.deployed]


@dataclass
class _Figures:
    """The figures for each reading, the last for all that follow."""

    readings: list[tuple[PoolFigures, PoolFigures]]
    windows: list[float] = field(default_factory=list)

    def read(self, seconds: float) -> tuple[PoolFigures, PoolFigures]:
        self.windows.append(seconds)
        found = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if found is SILENT:
            raise FiguresError("no answer")
        return found


def _rollout(stack: _Stack, *readings: Any, plan: Plan | None = None) -> tuple[Rollout, list[str]]:
    told: list[str] = []
    times = [NOW]

    def sleep(seconds: float) -> None:
        times[0] += seconds

    # Read once before anything is changed.
    figures = _Figures([SILENT if readings == (SILENT,) else GOOD, *readings])
    plan = plan or Plan((5, 50, 100), hold=20)
    return Rollout(stack, figures, plan, told.append, lambda: times[0], sleep), told


def test_a_good_canary_gets_every_share() -> None:
    stack = _Stack()
    rollout, _ = _rollout(stack, GOOD)

    rollout.run()

    assert rollout.good
    assert [step.share for step in rollout.steps] == [5, 50, 100]
    assert {step.verdict for step in rollout.steps} == {Verdict.GOOD}
    assert [step.seconds for step in rollout.steps] == [20, 20, 20]
    assert stack.shares == [5, 50, 100]


def test_a_worse_one_is_taken_back_at_once() -> None:
    stack = _Stack()
    rollout, told = _rollout(stack, GOOD, GOOD, GOOD, GOOD, GOOD, BAD)

    rollout.run()

    assert not rollout.good
    assert [(step.share, step.verdict, step.seconds) for step in rollout.steps] == [
        (5, Verdict.GOOD, 20),
        (50, Verdict.WORSE, 10),
    ]
    assert "5.0 % errors" in rollout.steps[-1].why
    assert stack.shares == [5, 50, 0]
    assert any("taking the canary back" in line for line in told)


def test_without_requests_nothing_is_decided_and_nothing_changed() -> None:
    stack = _Stack()
    rollout, _ = _rollout(stack, QUIET)

    rollout.run()
    [step] = rollout.steps

    assert step.verdict is Verdict.UNDECIDED
    assert "3 requests to the canary, 50 are needed" in step.why
    assert stack.shares == [5]


def test_a_canary_that_does_not_run_its_image_is_not_good() -> None:
    """Its old replicas answered well."""
    stack = _Stack(lag="not every replica of the canary runs its newest version")
    rollout, told = _rollout(stack, GOOD)

    rollout.run()

    assert [(step.verdict, step.why) for step in rollout.steps] == [(Verdict.UNDECIDED, stack.lag)]
    assert stack.shares == [5]
    assert told[-1] == f"5 %: undecided: {stack.lag}"


def test_a_worse_canary_is_worse_while_it_starts_too() -> None:
    stack = _Stack(lag="not every replica of the canary runs its newest version")
    rollout, _ = _rollout(stack, BAD)

    rollout.run()

    assert [step.verdict for step in rollout.steps] == [Verdict.WORSE]
    assert stack.shares == [5, 0]


def test_without_figures_nothing_is_begun() -> None:
    stack = _Stack()
    rollout, _ = _rollout(stack, SILENT)

    with pytest.raises(RolloutError, match="no answer; nothing was changed"):
        rollout.run("kato:6.5.0")
    assert stack.shares == []
    assert stack.canary == {"image": "kato:6.4.0"}


def test_a_canary_that_nobody_can_watch_is_taken_back() -> None:
    stack = _Stack()
    rollout, _ = _rollout(stack, GOOD, SILENT, plan=Plan((5, 50), hold=300))

    rollout.run()
    [step] = rollout.steps

    assert (step.verdict, step.why) == (Verdict.UNWATCHED, "no answer")
    assert step.seconds == 5 + SILENT_SECONDS
    assert step.canary == GOOD[1]
    assert stack.shares == [5, 0]


def test_a_long_step_tells_how_it_goes() -> None:
    rollout, told = _rollout(_Stack(), GOOD, QUIET, GOOD, plan=Plan((5,), hold=70))

    rollout.run()

    progress = [line for line in told if "of 70 s" in line]
    assert progress == [f"5 %: {at} of 70 s: {rollout.steps[0].why}" for at in (30, 60)]


def test_a_moment_without_figures_is_waited_out() -> None:
    stack = _Stack()
    rollout, _ = _rollout(stack, GOOD, SILENT, GOOD, plan=Plan((5, 50), hold=20))

    rollout.run()

    assert rollout.good
    assert stack.shares == [5, 50]


def test_a_step_that_ends_without_figures_is_no_good_one() -> None:
    stack = _Stack()
    rollout, _ = _rollout(stack, GOOD, GOOD, GOOD, SILENT, plan=Plan((5, 50), hold=20))

    rollout.run()

    assert [step.verdict for step in rollout.steps] == [Verdict.UNWATCHED]
    assert stack.shares == [5, 0]


@pytest.mark.parametrize(("share", "left"), [(0, [5, 50, 100]), (5, [5, 50, 100]), (50, [50, 100])])
def test_it_goes_on_where_the_stack_is(share: float, left: list[float]) -> None:
    stack = _Stack({"image": "kato:6.4.0", "share": share})
    rollout, _ = _rollout(stack, GOOD)

    rollout.run()

    assert [step.share for step in rollout.steps] == left
    assert stack.shares == left


def test_a_deployment_that_fails_ends_it_and_the_next_run_goes_on() -> None:
    stack = _Stack(broken_at=50)
    rollout, _ = _rollout(stack, GOOD)
    with pytest.raises(StackError, match=r"it broke\nThe settings say 50 %; run the same again"):
        rollout.run()
    assert [step.share for step in rollout.steps] == [5]
    stack.broken_at = None

    rollout, _ = _rollout(stack, GOOD)
    rollout.run()

    assert [step.share for step in rollout.steps] == [50, 100]


def test_a_worse_one_that_can_not_be_taken_back_is_no_secret() -> None:
    stack = _Stack(broken_at=0)
    rollout, _ = _rollout(stack, BAD)

    with pytest.raises(StackError, match=r"canary may still have its share.*rollout --back"):
        rollout.run()
    assert [step.verdict for step in rollout.steps] == [Verdict.WORSE]
    assert stack.shares == [5]


def test_a_new_image_begins_with_the_first_share() -> None:
    stack = _Stack({})
    rollout, _ = _rollout(stack, GOOD)

    rollout.run("kato:6.5.0")

    assert stack.shares == [5, 50, 100]
    assert {one["image"] for one in stack.deployed if one} == {"kato:6.5.0"}


def test_a_new_image_does_not_get_another_ones_sessions_at_once() -> None:
    stack = _Stack({"image": "kato:6.4.0", "share": 50})
    rollout, _ = _rollout(stack, GOOD)

    with pytest.raises(RolloutError, match=r"50 % of the sessions are with kato:6\.4\.0.*--back"):
        rollout.run("kato:6.5.0")
    assert stack.canary == {"image": "kato:6.4.0", "share": 50}

    rollout.run("kato:6.4.0")
    assert stack.shares == [50, 100]


def test_new_sessions_get_steps_that_begin_later() -> None:
    stack = _Stack({"image": "kato:6.4.0", "mode": "NEW_SESSIONS"})
    rollout, told = _rollout(stack, GOOD, plan=Plan((5, 50), hold=20))

    rollout.run()

    first = int((NOW + LEAD_SECONDS) * 1000)
    second = first + (20 + LEAD_SECONDS) * 1000
    assert stack.canary is not None
    assert stack.canary["since"] == second
    assert stack.canary["earlier"] == [{"since": first, "share": 5}]
    assert any(f"born in {LEAD_SECONDS} s" in line for line in told)


def test_going_back_takes_the_steps_away() -> None:
    steps = [{"since": 1, "share": 5}]
    stack = _Stack(
        {"image": "i", "mode": "NEW_SESSIONS", "since": 2, "earlier": steps, "share": 25}
    )

    take_back(stack, [].append)

    assert stack.canary == {"image": "i", "share": 0}


def test_promoting_removes_the_canary_when_the_stable_version_runs_its_image() -> None:
    stack = _Stack({"image": "kato:6.4.0", "share": 100})

    promote(stack, [].append)

    assert stack.others == {"katoImage": "kato:6.4.0"}
    assert stack.shares == [100, 0, None]


def test_a_share_beyond_the_plan_is_refused() -> None:
    rollout, _ = _rollout(_Stack({"image": "i", "share": 60}), GOOD, plan=Plan((5, 50)))

    with pytest.raises(RolloutError, match="60 % already"):
        rollout.run()
    with pytest.raises(RolloutError, match="60 % already"):
        described(Plan((5, 50)), {"image": "i", "share": 60})


def test_a_stack_without_a_canary_is_refused() -> None:
    rollout, _ = _rollout(_Stack({}), GOOD)

    with pytest.raises(RolloutError, match="no canary"):
        rollout.run()


@pytest.mark.parametrize(
    ("shares", "hold"),
    [
        ((), 1), ((5, 5), 1), ((25, 5), 1), ((0, 5), 1), ((5, 101), 1), ((5, math.nan, 50), 1),
        ((5,), 0), ((5,), math.nan), ((5,), math.inf),
    ],
)  # fmt: skip
def test_a_plan_without_sense_is_refused(shares: tuple[float, ...], hold: float) -> None:
    with pytest.raises(RolloutError, match="share"):
        Plan(shares, hold)


@pytest.mark.parametrize(
    "limits",
    [
        {"error_points": -1}, {"error_points": math.nan}, {"latency_ratio": 0.5},
        {"latency_ratio": math.inf}, {"requests": 0},
    ],
)  # fmt: skip
def test_limits_that_no_canary_could_break_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(RolloutError, match="or more"):
        Limits(**limits)


@pytest.mark.parametrize(
    ("stable", "canary", "verdict"),
    [
        (PoolFigures(1000, 0, 0.01), PoolFigures(100, 0, 0.015), Verdict.GOOD),
        (PoolFigures(1000, 0, 0.01), PoolFigures(100, 0, 0.0151), Verdict.WORSE),
        (PoolFigures(1000, 0, 0.01), PoolFigures(100, 1, 0.01), Verdict.GOOD),
        (PoolFigures(1000, 0, 0.01), PoolFigures(100, 1.1, 0.01), Verdict.WORSE),
        # What both have is not the canary's fault.
        (PoolFigures(1000, 100, 0.01), PoolFigures(100, 10, 0.01), Verdict.GOOD),
        (PoolFigures(1000, 0, 0.01), PoolFigures(49, 49, 9), Verdict.UNDECIDED),
        # At 100 % the stable pool has nothing to compare with.
        (PoolFigures(0, 0, None), PoolFigures(100, 0, 0.5), Verdict.GOOD),
        (PoolFigures(0, 0, None), PoolFigures(100, 5, 0.5), Verdict.WORSE),
    ],
)
def test_what_is_worse(stable: PoolFigures, canary: PoolFigures, verdict: Verdict) -> None:
    assert judge(stable, canary, Limits())[0] is verdict


def _prometheus(values: Mapping[str, str]) -> PrometheusFigures:
    def answer(request: httpx.Request) -> httpx.Response:
        expression = request.url.params["query"]
        found = [value for part, value in values.items() if part in expression]
        result = [{"metric": {}, "value": [0, found[0]]}] if found else []
        return httpx.Response(200, json={"status": "success", "data": {"result": result}})

    transport = httpx.MockTransport(answer)
    return PrometheusFigures("http://p", httpx.Client(transport=transport, base_url="http://p"))


def test_the_pools_are_told_apart_by_their_servers() -> None:
    answers = {'code=~"5.."': "2", "quantile": "0.25", "increase": "40"}

    pool = PoolFigures(40, 2, p95=0.25, p50=0.25, p99=0.25)

    assert _prometheus(answers).read(60) == (pool, pool)


def test_no_requests_have_no_latency() -> None:
    stable, _ = _prometheus({"quantile": "NaN"}).read(60)

    assert stable == PoolFigures(0, 0, None)


def test_a_silent_prometheus_is_named() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(503))
    figures = PrometheusFigures("http://p", httpx.Client(transport=transport, base_url="http://p"))

    with pytest.raises(FiguresError, match="http://p does not answer"):
        figures.read(60)
