"""``kato-lb rollout`` on a real cluster: a bad canary is taken back, and the report says why."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import broken_kato
import pytest
from cluster_prometheus import MONITORING, prometheus_for
from conftest import KATO, NEXT_KATO
from k8s_facts import Facts, balancer_urls, owners, sessions, wait_for
from kubernetes import client
from prometheus_api import Prometheus, until
from pulumi_stack import PulumiStack, must
from rollout_command import rollout
from steady_load import steady_load

from dev.cluster import lifecycle

CANARY = "kato-canary"
"""Name of the canary's workload and of its container."""

HOLD_SECONDS = 120
"""A worse canary is taken back as soon as it is seen; a good one would be held this long."""


@pytest.fixture(scope="module")
def broken(kubeconfig: Path) -> str:  # noqa: ARG001 - the cluster that gets it
    """The image of a version with errors, in the cluster."""
    broken_kato.make(KATO)
    lifecycle.ensure([broken_kato.BROKEN_KATO])
    return broken_kato.BROKEN_KATO


@pytest.fixture(scope="module")
def watched(
    broken: str,
    monitoring_images: None,  # noqa: ARG001 - asked for what they make sure of
    others_kinds: None,  # noqa: ARG001
    monitoring_namespace: str,
    new_stack: Callable[..., PulumiStack],
) -> PulumiStack:
    """A running stack that a Prometheus may read, with a bad canary that has no session yet."""
    stack = new_stack(
        "rollback",
        replicas=2,
        monitoring=MONITORING,
        network={"monitoringNamespace": monitoring_namespace},
        canary={"image": broken, "share": 0, "replicas": 1},
    )
    stack.up()
    return stack


def test_a_canary_with_errors_is_taken_back_without_hands(
    watched: PulumiStack,
    monitoring_namespace: str,
    facts: Facts,
    kubeconfig: Path,
    tmp_path: Path,
) -> None:
    namespace = str(watched.outputs()["namespace"])
    url = facts.url(namespace)
    with (
        prometheus_for(facts, monitoring_namespace, "rollback", namespace) as prometheus,
        steady_load(url, max_seconds=900),
    ):
        counted = "sum(rate(kato_lb_requests_total[30s])) > 0"
        until(lambda: bool(Prometheus(prometheus).query(counted)), "requests are counted", 90)
        done = rollout(
            watched, "--steps", "50,100", "--prometheus", prometheus,
            hold=HOLD_SECONDS, KUBECONFIG=str(kubeconfig),
        )  # fmt: skip

    assert done.returncode == 1, done.stderr
    [step] = json.loads(done.stdout)["steps"]
    assert (step["share"], step["verdict"]) == (50, "broken"), step
    assert "points above" in step["why"]
    share = watched.pulumi("config", "get", "--path", "canary.share", "--stack", watched.name)
    assert share.strip() == "0"
    # The Service may reach a balancer of the share before for a moment.
    direct = balancer_urls(facts.cluster(namespace))[0]
    answered = set(owners(direct, sessions(direct, 100)).values())
    assert not [pod for pod in answered if "canary" in pod]
    seen, page = tmp_path / "rollout.json", tmp_path / "report.html"
    seen.write_text(done.stdout)
    must([sys.executable, "-m", "kato_balancing.cli", "report", str(seen), "--out", str(page)])
    assert step["why"] in page.read_text()


def test_a_canary_that_does_not_start_is_named_and_holds_nothing_up(
    watched: PulumiStack, facts: Facts, kubeconfig: Path
) -> None:
    namespace = str(watched.outputs()["namespace"])
    cluster = facts.cluster(namespace)
    assert cluster.canary_lag() is None
    template = {"spec": {"containers": [{"name": CANARY, "image": "kato-lb/nothing:1.0"}]}}
    client.AppsV1Api(facts.api).patch_namespaced_stateful_set(
        CANARY, namespace, {"spec": {"template": template}}
    )

    lag = cluster.canary_lag()
    assert lag is not None
    assert lag.startswith("not every replica of the canary runs its newest version: ")
    done = rollout(watched, "--back", hold=HOLD_SECONDS, KUBECONFIG=str(kubeconfig))
    assert done.returncode == 0, done.stderr
    reason = f"newest version: {CANARY}-0 containers with unready status"

    def named() -> bool:
        # The old pod, while it leaves, waits for its containers too.
        leaving = any(pod.leaving for pod in cluster.pods(CANARY))
        return not leaving and reason in str(cluster.canary_lag())

    wait_for(named, 60, "the reason of the pod with the new image")


def test_when_it_ends_the_replicas_run_what_was_deployed(
    watched: PulumiStack, facts: Facts, kubeconfig: Path
) -> None:
    """Or a promoted canary goes while the stable version still runs its old image."""
    watched.configure(katoImage=NEXT_KATO)
    done = rollout(watched, "--back", hold=HOLD_SECONDS, KUBECONFIG=str(kubeconfig))
    assert done.returncode == 0, done.stderr

    pods = facts.core.list_namespaced_pod(
        watched.outputs()["namespace"], label_selector="app.kubernetes.io/component=kato"
    ).items
    assert [pod.spec.containers[0].image for pod in pods] == [NEXT_KATO] * 2
