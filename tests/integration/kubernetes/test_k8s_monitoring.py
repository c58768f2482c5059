"""Figures on a real cluster: a Prometheus finds what the operator's objects name, where the
network policies let it, and reads the right numbers."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from cluster_prometheus import MONITORING, MONITORS, RULES, prometheus_for
from conftest import NEXT_KATO, SMALL
from k8s_facts import NO_TLS, Facts, objects_of, owners, sessions
from prometheus_api import Prometheus, until
from pulumi_stack import PulumiStack

from kato_balancing.monitoring.panels import ALERTS, PANELS
from kato_balancing.verify.disruption.cluster import BALANCER, KATO, REDIS
from kato_balancing.verify.load import SteadyLoad

PASSWORD = "hunter-2"
EXPORTER_PORT, REDIS_EXPORTER_PORT, PRIVATE_PORT, KATO_PORT, REDIS_PORT = (
    9102,
    9121,
    8081,
    8000,
    6379,
)
STACKS: dict[str, dict[str, Any]] = {
    # The password tells whether the exporter of Redis' figures is let in.
    "nginx": {
        "redis": {**SMALL["redis"], "password": PASSWORD},
        "replicas": 1,
        "canary": {"image": NEXT_KATO, "share": 50, "replicas": 1},
    },
    "haproxy": {"proxy": "haproxy", "replicas": 2},
}
REPLICAS = {
    "nginx": {"kato-0", "kato-canary-0"},
    "haproxy": {"kato-0", "kato-1"},
}
JOBS = {
    "nginx": {"kato-exporter", "kato", "kato-redis"},
    "haproxy": {"kato-exporter", "kato", "kato-redis", "kato-balancer"},
}


@dataclass(frozen=True)
class Watched:
    """A running stack and a Prometheus that has what the operator would give it."""

    stack: PulumiStack
    facts: Facts
    namespace: str
    prometheus: Prometheus

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return self.facts.url(self.namespace)

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """The stack's objects of a kind, as they were asked for."""
        found = [
            json.loads(json.dumps(one))
            for one in objects_of(self.stack.pulumi("stack", "export", "--stack", self.stack.name))
            if one.get("kind") == kind
        ]
        assert found, f"the stack has no {kind}"
        return found


@pytest.fixture(scope="module")
def watched(
    monitoring_images: None,  # noqa: ARG001 - asked for what they make sure of
    others_kinds: None,  # noqa: ARG001
    facts: Facts,
    monitoring_namespace: str,
    new_stack: Callable[..., PulumiStack],
) -> Iterator[dict[str, Watched]]:
    """A stack of each program, and its Prometheus."""
    stacks = {
        program: new_stack(
            f"watched-{program}",
            monitoring=MONITORING,
            network={"monitoringNamespace": monitoring_namespace},
            **more,
        )
        for program, more in STACKS.items()
    }
    with ThreadPoolExecutor(len(stacks)) as at_once, ExitStack() as running:
        list(at_once.map(PulumiStack.up, stacks.values()))
        found = {}
        for program, stack in stacks.items():
            namespace = str(stack.outputs()["namespace"])
            url = running.enter_context(
                prometheus_for(facts, monitoring_namespace, program, namespace)
            )
            found[program] = Watched(stack, facts, namespace, Prometheus(url))
        yield found
        list(at_once.map(PulumiStack.destroy, stacks.values()))


def _ready(prometheus: Prometheus) -> bool:
    try:
        return httpx.get(f"{prometheus.url}/-/ready", timeout=5).is_success
    except httpx.TransportError:
        return False


def _holds(whole: Any, part: Any) -> bool:
    """True when everything in ``part`` is in ``whole``, which may have defaults besides."""
    if isinstance(part, dict):
        return all(name in whole and _holds(whole[name], one) for name, one in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(_holds, whole, part))
    return bool(whole == part)


@pytest.mark.parametrize("program", STACKS)
def test_the_api_server_takes_the_operators_objects_strictly(
    watched: dict[str, Watched], facts: Facts, program: str
) -> None:
    seen = watched[program]

    for one in (*seen.objects(MONITORS), *seen.objects(RULES)):
        facts.apply_dry(one, "default")
        assert _holds(facts.stored(one, seen.namespace)["spec"], one["spec"])


@pytest.mark.parametrize("program", STACKS)
def test_every_target_is_found_and_answers(watched: dict[str, Watched], program: str) -> None:
    prometheus = watched[program].prometheus
    until(lambda: _ready(prometheus), "Prometheus is ready", 60)

    until(lambda: set(prometheus.targets()) == JOBS[program], "every job has targets", 60)
    until(lambda: set.union(*prometheus.targets().values()) == {"up"}, "every target answers", 60)
    replicas = prometheus.query('up{job="kato"}')
    assert {one["metric"]["server"] for one in replicas} == REPLICAS[program]
    assert prometheus.value('count(up{job="kato-exporter"})') == 2


@pytest.mark.parametrize("program", STACKS)
def test_sessions_are_counted_at_the_pod_that_answered(
    watched: dict[str, Watched], facts: Facts, program: str
) -> None:
    seen = watched[program]
    pod = facts.cluster(seen.namespace).serving(BALANCER)[0]
    through_one = f"http://{pod.address}:8080"
    counted = f'sum by (server) (kato_lb_sessions{{pod="{pod.name}"}}) > 0'

    ids = sessions(through_one, 60)
    found = Counter(owners(through_one, ids).values())

    def figures() -> dict[str, int]:
        # Asked again, because a line of the log may be dropped: a pod's queue is short.
        owners(through_one, ids)
        series = seen.prometheus.query(counted)
        return {one["metric"]["server"]: int(one["value"][1]) for one in series}

    assert set(found) == REPLICAS[program]
    until(lambda: figures() == found, f"{found} sessions are counted", 60)


@pytest.mark.parametrize("program", STACKS)
def test_every_request_is_counted_once_by_one_of_the_balancers(
    watched: dict[str, Watched], program: str
) -> None:
    seen = watched[program]
    counted = 'sum(kato_lb_requests_total{code="404"})'

    def total() -> float:
        found = seen.prometheus.query(counted)
        return float(found[0]["value"][1]) if found else 0.0

    before = total()
    for _ in range(100):
        # Each on a connection of its own, so that both balancers get some.
        answer = httpx.get(f"{seen.url}/status", timeout=20, verify=NO_TLS)
        assert answer.status_code == 404

    until(lambda: total() - before == 100, "100 lines are counted", 60)
    balancers = seen.prometheus.query('sum by (pod) (kato_lb_requests_total{code="404"}) > 0')
    assert len(balancers) == 2
    assert seen.prometheus.value("sum(kato_lb_unreadable_lines_total)") == 0


@pytest.mark.parametrize("program", STACKS)
def test_panels_and_alerts_have_data_and_none_fires(
    watched: dict[str, Watched], program: str
) -> None:
    seen = watched[program]
    expressions = {panel.title: panel.expression for panel in PANELS}
    expressions |= {alert.name: alert.expression for alert in ALERTS}

    def missing() -> set[str]:
        return {name for name, text in expressions.items() if not seen.prometheus.query(text)}

    with SteadyLoad(seen.url, clients=8, think_time=0.05) as load:
        until(lambda: not missing(), f"data for {missing()}", 90)
        until(lambda: load.report().requests > 500, "the load runs", 60)
    assert load.report().failures == ()
    rules = httpx.get(f"{seen.prometheus.url}/api/v1/rules", timeout=10).json()["data"]["groups"]
    assert {one["name"] for group in rules for one in group["rules"]} == {a.name for a in ALERTS}
    assert "firing" not in seen.prometheus.alerts().values()
    assert seen.prometheus.value("min(redis_up)") == 1


def test_a_balancer_whose_exporter_dies_serves_on(
    watched: dict[str, Watched], facts: Facts
) -> None:
    seen = watched["nginx"]
    cluster = facts.cluster(seen.namespace)
    before = cluster.serving(BALANCER)
    victim = before[0]
    lines = f'sum(kato_lb_log_lines_total{{pod="{victim.name}"}})'
    kill = ["sh", "-c", "kill -9 $(cat /proc/1/task/1/children)"]

    with SteadyLoad(seen.url, clients=8, think_time=0.05) as load:
        until(lambda: seen.prometheus.value(lines) > 0, "it counts", 60)
        said = facts.run_in(victim.name, seen.namespace, kill, container="log-exporter")
        assert said.strip().endswith("exit 0"), said
        again = f'resets(kato_lb_log_lines_total{{pod="{victim.name}"}}[2m])'
        until(lambda: seen.prometheus.value(again) > 0, "another exporter counts", 60)
        assert cluster.serving(BALANCER) == before
    assert load.report().failures == ()


@pytest.mark.parametrize("program", STACKS)
def test_only_the_monitoring_namespace_reads_figures(
    watched: dict[str, Watched], facts: Facts, monitoring_namespace: str, program: str
) -> None:
    cluster = facts.cluster(watched[program].namespace)
    balancer, kato, exporter, redis = (
        str(cluster.serving(tier)[0].address) for tier in (BALANCER, KATO, "redis-exporter", REDIS)
    )
    figures = [
        (balancer, EXPORTER_PORT),
        (balancer, PRIVATE_PORT),
        (kato, KATO_PORT),
        (exporter, REDIS_EXPORTER_PORT),
    ]

    def reached(pod: str, namespace: str) -> list[tuple[str, int]]:
        asked = [*figures, (redis, REDIS_PORT)]
        return [at for at in asked if facts.connects(pod, namespace, *at)]

    with (
        facts.namespace("elsewhere") as elsewhere,
        facts.foreign_pod("stranger", elsewhere, SMALL["katoImage"]) as stranger,
        facts.foreign_pod("reader", monitoring_namespace, SMALL["katoImage"]) as reader,
    ):
        # What is public shows that a stranger's pod could connect.
        assert facts.connects(stranger, elsewhere, balancer, 8080)
        assert reached(stranger, elsewhere) == []
        assert reached(reader, monitoring_namespace) == figures
