"""Replacement in a cluster: what is asked of it, what is reported, what stops it."""

from dataclasses import replace
from typing import Any

import pytest

from kato_balancing.operations.kubernetes_replicas import KubernetesPlatform
from kato_balancing.operations.report import OperationError
from kato_balancing.verify.disruption import cluster as disruption
from kato_balancing.verify.disruption.cluster import ClusterError, Pod


def pod(name: str, uid: str) -> Pod:
    return Pod(name, uid, "10.0.0.1", ready=True, leaving=False, restarts=0, waits_for="")


class FakeCluster:
    """Every look at the pods moves a replacement one step: leaving, gone, new, ready."""

    def __init__(self, count: int = 3) -> None:
        self.now = {f"kato-{n}": pod(f"kato-{n}", f"old-{n}") for n in range(count)}
        self.todo: list[str] = []
        self.asked: list[str] = []
        self.never = False

    def pods(self, tier: str) -> list[Pod]:
        assert tier == "kato"
        if self.todo and not self.never:
            self._step(self.todo[0])
        return list(self.now.values())

    def _step(self, name: str) -> None:
        one = self.now.get(name)
        if one is None:
            number = name.rpartition("-")[2]
            self.now[name] = replace(pod(name, f"new-{number}"), ready=False)
        elif one.uid.startswith("new"):
            self.now[name] = replace(one, ready=True)
            self.todo.pop(0)
        elif one.leaving:
            del self.now[name]
        else:
            self.now[name] = replace(one, leaving=True)

    def serving(self, tier: str) -> list[Pod]:
        assert tier == "kato"
        return list(self.now.values())

    def settled(self) -> bool:
        return not self.todo

    def wait_settled(self, limit: float) -> None:
        assert limit == 60
        self.asked.append("settled")

    def restart(self, tier: str) -> None:
        self.asked.append(f"restart {tier}")
        self.todo = sorted(self.now, reverse=True)

    def evict(self, one: Pod) -> None:
        self.asked.append(f"evict {one.name}")
        self.todo = [one.name]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disruption, "_ASK_AGAIN", 0.0)


def names(platform: KubernetesPlatform, wanted: list[str] | None, limit: float = 60) -> list[str]:
    return [report.replica for report in platform.replace(wanted, limit, lambda _: None)]


def platform(cluster: Any) -> KubernetesPlatform:
    return KubernetesPlatform(cluster)


def test_all_are_replaced_by_one_restart():
    cluster = FakeCluster()
    assert names(platform(cluster), None) == ["kato-2", "kato-1", "kato-0"]
    assert cluster.asked == ["settled", "restart kato"]


def test_named_ones_are_evicted_one_after_another():
    cluster = FakeCluster()
    assert names(platform(cluster), ["kato-2", "kato-0"]) == ["kato-2", "kato-0"]
    assert cluster.asked == ["settled", "evict kato-2", "evict kato-0"]


def test_a_drain_is_an_eviction_and_has_no_undo():
    cluster = FakeCluster()
    report = platform(cluster).drain("kato-1", 60, lambda _: None)
    assert (report.replica, report.connections) == ("kato-1", None)
    assert report.healthy_seconds is not None
    with pytest.raises(OperationError, match="leave --undo out"):
        platform(cluster).undo("kato-1", lambda _: None)


def test_an_unknown_pod_is_refused_before_anything_is_asked():
    cluster = FakeCluster()
    with pytest.raises(OperationError, match="use one of: kato-0, kato-1, kato-2"):
        names(platform(cluster), ["kato-1", "kato-7"])
    assert cluster.asked == ["settled"]


def test_a_pod_that_never_goes_ends_the_wait(monkeypatch):
    cluster = FakeCluster()
    cluster.never = True
    monkeypatch.setattr(FakeCluster, "wait_settled", lambda *_: None)
    with pytest.raises(OperationError, match=r"kato-1 was not replaced.*\nThe pods that are ready"):
        names(platform(cluster), ["kato-1"], limit=0.01)


def test_the_clusters_refusal_is_told(monkeypatch):
    def refuse(*_: object) -> None:
        raise ClusterError("the API server refused (403)")

    monkeypatch.setattr(FakeCluster, "restart", refuse)
    with pytest.raises(OperationError, match="403"):
        names(platform(FakeCluster()), None)
