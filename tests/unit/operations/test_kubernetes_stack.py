"""A stack on Kubernetes: its update ends when the cluster has carried it out."""

import json
from pathlib import Path
from typing import Any

import pytest
from fake_pulumi import FakePulumi, setting

from kato_balancing.cli import main
from kato_balancing.operations import kubernetes_stack
from kato_balancing.operations.platforms import settling
from kato_balancing.operations.stack import Stack, StackError
from kato_balancing.verify.disruption.cluster import ClusterError

CANARY = {"image": "kato:6.4.0", "share": 50}


class FakeCluster:
    """Is updated, or says why not; knows what pulumi had been asked by then."""

    def __init__(self, pulumi: FakePulumi, problem: str | None = None) -> None:
        self._pulumi = pulumi
        self._problem = problem
        self.waited: list[tuple[float, bool]] = []

    def canary_lag(self) -> str | None:
        if self._problem is not None:
            raise ClusterError(self._problem)
        return "kato-canary-1 no readiness"

    def wait_updated(self, limit: float) -> None:
        self.waited.append((limit, self._pulumi.calls()[-1].startswith("up ")))
        if self._problem is not None:
            raise ClusterError(self._problem)


def settings(platform: str) -> dict[str, dict[str, object]]:
    """What pulumi says of a stack there, whose canary has half of the sessions."""
    where = {"value": platform, "secret": False}
    found = {"kato:platform": where, "kato:canary": setting(CANARY)}
    return {
        "stack --show-name": {"out": "dev"},
        "config --json": {"out": json.dumps(found)},
        "stack output": {"out": json.dumps({"namespace": "kato-dev"})},
    }


@pytest.fixture
def on_kubernetes(pulumi: FakePulumi) -> FakePulumi:
    pulumi.says(settings("kubernetes"))
    return pulumi


def use(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster) -> FakeCluster:
    monkeypatch.setattr(kubernetes_stack, "cluster_of", lambda _: cluster)
    return cluster


def test_an_update_ends_when_the_pods_are_replaced(on_kubernetes, tmp_path, monkeypatch):
    cluster = use(monkeypatch, FakeCluster(on_kubernetes))
    told: list[str] = []

    settling(Stack.select(tmp_path)).up(tell=told.append, limit=7)

    assert cluster.waited == [(7, True)]
    assert told[-1] == "waiting until the pods are replaced"


def test_pods_that_do_not_follow_are_named(on_kubernetes, tmp_path, monkeypatch):
    use(monkeypatch, FakeCluster(on_kubernetes, "kato-1 waits for a node"))

    with pytest.raises(StackError, match=r"of dev succeeded.* do not follow: kato-1 waits for a"):
        settling(Stack.select(tmp_path)).up(tell=lambda _: None)


def test_a_canarys_replicas_are_the_clusters_to_tell(on_kubernetes, tmp_path, monkeypatch):
    stack = settling(Stack.select(tmp_path))
    use(monkeypatch, FakeCluster(on_kubernetes))
    assert stack.canary_lag() == "kato-canary-1 no readiness"
    use(monkeypatch, FakeCluster(on_kubernetes, "the cluster does not answer"))
    assert stack.canary_lag() == "the cluster does not answer"


def test_a_canary_is_back_when_the_balancers_are_replaced(on_kubernetes, tmp_path, monkeypatch):
    cluster = use(monkeypatch, FakeCluster(on_kubernetes))

    assert main(["rollout", "--back", "--cwd", str(tmp_path)]) == 0

    assert [after_up for _, after_up in cluster.waited] == [True]


def test_on_docker_nothing_is_waited_for(pulumi: FakePulumi, tmp_path: Path) -> None:
    pulumi.says(settings("docker"))
    stack = Stack.select(tmp_path)
    assert settling(stack) is stack


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        ({}, {"kubeconfig": None, "context": None}),
        ({"kubeconfig": "config", "context": "prod"}, {"kubeconfig": "config", "context": "prod"}),
    ],
)
def test_the_cluster_is_the_one_of_the_settings(where, meant, pulumi, tmp_path, monkeypatch):
    pulumi.says({
        **settings("kubernetes"),
        "config --json": {"out": json.dumps({"kato:cluster": setting(where)})},
    })  # fmt: skip
    asked: list[Any] = []
    monkeypatch.setattr(
        kubernetes_stack.Cluster, "connect", lambda *words, **more: asked.append((words, more))
    )

    kubernetes_stack.cluster_of(Stack(tmp_path, "dev"))

    [(words, more)] = asked
    assert words == ("kato-dev", "kato")
    if meant["kubeconfig"] is not None:
        # A relative path counts from the project's folder.
        meant = {**meant, "kubeconfig": str(tmp_path / meant["kubeconfig"])}
    assert more == meant


def test_a_stack_without_a_namespace_is_not_deployed(on_kubernetes, tmp_path):
    on_kubernetes.says({"config --json": {"out": "{}"}, "stack output": {"out": "{}"}})

    with pytest.raises(ClusterError, match="dev is not deployed; run 'pulumi up' first"):
        kubernetes_stack.cluster_of(Stack(tmp_path, "dev"))
