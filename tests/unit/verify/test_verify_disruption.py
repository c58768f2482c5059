"""Events in a cluster: when a workload has settled, and which failures an event explains."""

from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client

from kato_balancing.verify.disruption import cluster, events, proof, runner
from kato_balancing.verify.disruption.names import Cost, DisruptionName
from kato_balancing.verify.load_report import FailedRequest, LoadReport, LostReport, Mark
from kato_balancing.verify.options import OptionError, VerifyOptions
from kato_balancing.verify.progress import silent


def _workload(wanted: int, **status: Any) -> Any:
    base = {
        "observed_generation": 2,
        "replicas": wanted,
        "ready_replicas": wanted,
        "available_replicas": wanted,
        "updated_replicas": wanted,
    }
    return SimpleNamespace(
        spec=SimpleNamespace(replicas=wanted),
        metadata=SimpleNamespace(generation=2),
        status=SimpleNamespace(**{**base, **status}),
    )


@pytest.mark.parametrize(
    ("workload", "updated", "settled"),
    [
        (_workload(3), True, True),
        (_workload(3, observed_generation=1), False, False),
        (_workload(3, ready_replicas=2), True, False),
        (_workload(3, ready_replicas=None), True, False),
        (_workload(3, available_replicas=2), True, False),
        (_workload(3, ready_replicas=2, available_replicas=2), True, False),
        (_workload(3, replicas=4), False, False),
        (_workload(3, updated_replicas=1), False, False),
        (_workload(3, updated_replicas=None), False, False),
        (_workload(3, current_revision="a", update_revision="b"), False, False),
        (_workload(3, updated_replicas=1, current_revision="a", update_revision="b"), False, False),
        (_workload(3, updated_replicas=0, current_revision="a", update_revision="a"), True, True),
        (
            _workload(3, updated_replicas=None, current_revision="a", update_revision="a"),
            True,
            True,
        ),
    ],
)
def test_a_workload_is_updated_when_all_of_it_is_new_and_settled_when_it_is_ready_too(
    workload: Any, updated: bool, settled: bool
) -> None:
    """A pod that is not ready does not hold an update of something else up."""
    assert cluster._updated(workload) is updated
    assert cluster._rolled_out(workload) is settled


def _pod(name: str, *, ready: bool = True, leaving: bool = False) -> cluster.Pod:
    return cluster.Pod(name, f"uid-{name}", "10.0.0.1", ready, leaving, 0, "")


@pytest.mark.parametrize(
    ("pods", "settled"),
    [
        ([_pod("kato-0"), _pod("kato-1")], True),
        ([_pod("kato-1")], False),
        ([_pod("kato-0", ready=False), _pod("kato-1")], False),
        ([_pod("kato-0"), _pod("kato-1"), _pod("kato-2", leaving=True)], False),
        ([_pod("kato-0"), _pod("kato-1"), _pod("kato-2", ready=False)], True),
    ],
)
def test_a_stack_has_settled_when_the_pods_are_there_that_its_controllers_count(
    monkeypatch: pytest.MonkeyPatch, pods: list[cluster.Pod], settled: bool
) -> None:
    """A controller counts a pod that was killed for as long as it has not looked again."""
    stack = cluster.Cluster(client.ApiClient(), "kato", "kato")
    for name, answer in {
        "workload": lambda: _workload(2),
        "balancer": lambda: None,
        "redis": lambda: None,
        "pods": lambda _: pods,
    }.items():
        monkeypatch.setattr(stack, name, answer)

    assert stack.settled() is settled


_LAG = "not every replica of the canary runs its newest version: kato-canary-1 no readiness"


@pytest.mark.parametrize(
    ("canary", "lag"),
    [
        (None, None),
        (_workload(2), None),
        (_workload(2, updated_replicas=1), _LAG),
        (_workload(2, observed_generation=1), _LAG),
        # It ran all of it once: a replica that is not ready now is for the figures to judge.
        (_workload(2, ready_replicas=1), None),
    ],
)
def test_a_canary_lags_until_all_of_it_has_the_newest_version(
    monkeypatch: pytest.MonkeyPatch, canary: Any, lag: str | None
) -> None:
    stack = cluster.Cluster(client.ApiClient(), "kato", "kato")
    late = cluster.Pod("kato-canary-1", "uid", None, False, False, 3, "no readiness")
    monkeypatch.setattr(stack, "_replicas_of", {"kato-canary": canary}.get)
    monkeypatch.setattr(stack, "pods", {"kato-canary": [_pod("kato-canary-0"), late]}.get)

    assert stack.canary_lag() == lag


def _failed(
    method: str, at: float, path: str = "/sessions/a/observe", seconds: float = 0.1
) -> FailedRequest:
    return FailedRequest(at=at, method=method, path=path, kind="502", seconds=seconds, token=None)


def _report(*failures: FailedRequest) -> LoadReport:
    return LoadReport(
        seconds=60.0,
        clients=32,
        requests=1000,
        failed=len(failures),
        in_flight_max=32,
        acknowledged=600,
        sessions=32,
        methods={},
        servers={},
        failures=failures,
        marks=(Mark(2.0, "kill"), Mark(20.0, proof.SETTLED)),
        ended=None,
    )


def _lost(**found: tuple[str, ...]) -> LostReport:
    none: dict[str, Any] = dict.fromkeys(
        ("lost", "doubled", "unacknowledged_present", "foreign"), ()
    )
    return LostReport(acknowledged=600, sessions=32, **{**none, **found})


@pytest.mark.parametrize(
    ("cost", "report", "lost", "said"),
    [
        (Cost.NOTHING, _report(), _lost(), []),
        (Cost.NOTHING, _report(_failed("POST", 3.0)), _lost(), ["1 x 502 (POST)"]),
        (Cost.IN_FLIGHT, _report(_failed("POST", 3.0)), _lost(), []),
        (Cost.IN_FLIGHT, _report(_failed("GET", 3.0)), _lost(), ["1 x 502 (GET)"]),
        (
            Cost.IN_FLIGHT,
            _report(_failed("POST", 3.0), _failed("POST", 4.0)),
            _lost(),
            ["between 4.0 s and 4.0 s"],
        ),
        (Cost.OUTAGE, _report(_failed("GET", 3.0), _failed("POST", 19.0)), _lost(), []),
        (Cost.OUTAGE, _report(_failed("GET", 40.0)), _lost(), ["1 x 502 (GET)"]),
        # Sent at 10 s, during the outage; at 25 s, when the store was back; and at 36 s.
        (Cost.OUTAGE, _report(_failed("GET", 40.0, seconds=30.0)), _lost(), []),
        (Cost.OUTAGE, _report(_failed("GET", 55.0, seconds=30.0)), _lost(), ["1 x 502 (GET)"]),
        (Cost.OUTAGE, _report(_failed("GET", 40.0, seconds=4.0)), _lost(), ["1 x 502 (GET)"]),
        (Cost.OUTAGE, _report(), _lost(lost=("t1",)), ["acknowledged and are not stored"]),
        (Cost.NOTHING, _report(), _lost(doubled=("t1", "t2")), ["2 observations are stored twice"]),
    ],
)
def test_what_an_event_does_not_explain_is_said(
    cost: Cost, report: LoadReport, lost: LostReport, said: list[str]
) -> None:
    found = proof._wrong(cost, report, lost)

    assert len(found) == len(said)
    for message, part in zip(found, said, strict=True):
        assert part in message


def test_every_event_has_a_name_and_planned_ones_cost_nothing() -> None:
    assert [one.name for one in events.DISRUPTIONS] == list(DisruptionName)
    free = {one.name for one in events.DISRUPTIONS if one.cost is Cost.NOTHING}
    assert free == set(DisruptionName) - {DisruptionName.POD_KILL, DisruptionName.REDIS_RESTART}


def test_a_wait_has_a_limit_and_says_what_for() -> None:
    with pytest.raises(cluster.ClusterError, match=r"nothing came \(waited 0 s\)"):
        cluster.wait_until(lambda: False, 0, "nothing came")


def test_without_a_cluster_the_cure_is_named() -> None:
    place = runner.Place("apps", kubeconfig="/nothing/there")

    with pytest.raises(OptionError, match="set KUBECONFIG or give --kubeconfig"):
        runner.verify_in_cluster(place, None, VerifyOptions(), [], silent)
