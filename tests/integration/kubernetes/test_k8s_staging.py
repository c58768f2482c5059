"""The staging stack on a real cluster: what `pulumi up` promises, and what events cost clients."""

import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import yaml
from conftest import NEXT_KATO, SMALL
from k8s_facts import (
    Endings,
    Facts,
    balancer_urls,
    connection_states,
    kill_process,
    objects_of,
    owners,
    predicted,
    sessions,
    wait_for,
    wait_until_known,
)
from pulumi_stack import ROOT, PulumiStack, run
from steady_load import CLIENTS, steady_load
from verdicts import complaints

from kato_balancing.verify import VerifyOptions, verify
from kato_balancing.verify.disruption.cluster import BALANCER, KATO, REDIS

PASSWORD = "hunter-2"


def _staging() -> dict[str, Any]:
    """The staging stack's own settings."""
    text = (ROOT / "Pulumi.staging.yaml").read_text()
    return {
        key.removeprefix("kato:"): value for key, value in yaml.safe_load(text)["config"].items()
    }


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., PulumiStack]) -> PulumiStack:
    made = new_stack("staging", **{**_staging(), "resources": SMALL["resources"]})
    made.configure_secret("redis.password", PASSWORD)
    made.up()
    return made


@pytest.fixture
def namespace(stack: PulumiStack) -> str:
    return str(stack.outputs()["namespace"])


@pytest.fixture
def url(facts: Facts, namespace: str) -> str:
    return facts.url(namespace)


def test_a_second_up_and_a_refresh_change_nothing(stack: PulumiStack) -> None:
    assert stack.preview("--expect-no-changes").returncode == 0
    stack.refresh()
    after = stack.preview("--expect-no-changes")
    assert after.returncode == 0, after.stdout


def test_no_secret_is_in_clear_in_the_state(
    stack: PulumiStack, facts: Facts, namespace: str
) -> None:
    assert PASSWORD not in stack.pulumi("stack", "export")
    maps = facts.core.list_namespaced_config_map(namespace).items
    assert maps
    assert PASSWORD not in str(maps)


def test_the_namespace_enforces_restricted_pods(facts: Facts, namespace: str) -> None:
    labels = facts.core.read_namespace(namespace).metadata.labels
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert len(facts.cluster(namespace).serving(KATO)) == 3


def test_the_api_server_accepts_every_object_strictly(stack: PulumiStack, facts: Facts) -> None:
    checked = Counter[str]()
    objects = objects_of(stack.pulumi("stack", "export", "--show-secrets"))
    with_defaults = "default"
    for manifest in objects:
        if manifest.get("kind"):
            body = json.loads(json.dumps(_readable(manifest)))
            if body["kind"] == "Namespace":
                body["metadata"].pop("name", None)
            facts.apply_dry(body, with_defaults)
            checked[body["kind"]] += 1
    assert checked["StatefulSet"] == 2
    assert checked["Deployment"] == 1
    assert checked["NetworkPolicy"] == 5


def _readable(value: Any) -> Any:
    """The value without the state's marks of secrets."""
    if isinstance(value, dict):
        if "plaintext" in value:
            return json.loads(value["plaintext"])
        return {key: _readable(item) for key, item in value.items()}
    return [_readable(item) for item in value] if isinstance(value, list) else value


def test_no_update_is_lost_through_each_balancer_and_through_all(
    facts: Facts, namespace: str, url: str
) -> None:
    balancers = balancer_urls(facts.cluster(namespace))
    assert len(balancers) == 2
    for base in (url, *balancers):
        report = verify(base, VerifyOptions())
        assert complaints(report.to_dict()) == []


def test_both_balancers_agree_on_every_session(facts: Facts, namespace: str, url: str) -> None:
    ids = sessions(url, 200)
    one, other = balancer_urls(facts.cluster(namespace))
    assert owners(one, ids) == owners(other, ids)


def test_only_the_balancer_reaches_kato_and_only_kato_reaches_redis(
    facts: Facts, namespace: str
) -> None:
    cluster = facts.cluster(namespace)
    kato, redis = cluster.serving(KATO)[0], cluster.serving(REDIS)[0]
    balancer = cluster.serving(BALANCER)[0]
    with facts.foreign_pod("foreign", namespace, SMALL["katoImage"]) as foreign:
        assert facts.connects(foreign, namespace, str(balancer.address), 8080)
        assert not facts.connects(foreign, namespace, str(kato.address), 8000)
        assert not facts.connects(foreign, namespace, str(redis.address), 6379)
        assert not facts.connects(foreign, namespace, str(balancer.address), 8081)
    assert facts.connects(kato.name, namespace, str(redis.address), 6379)
    assert not facts.connects(kato.name, namespace, "192.0.2.1", 80)


def test_events_cost_no_more_than_they_may(facts: Facts, namespace: str) -> None:
    done = run(
        [
            sys.executable, "-m", "kato_balancing.cli", "verify", "--namespace", namespace,
            "--kubeconfig", str(facts.kubeconfig), "--check", "affinity", "--json",
        ],
        limit=580,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert complaints(report) == []
    assert done.returncode == 0, done.stderr
    events = {check["name"]: check["figures"] for check in report["checks"][1:]}
    assert len(events) == 7
    for name, figures in events.items():
        assert (figures["lost"], figures["doubled"]) == (0, 0), name
        assert figures["clients"] == CLIENTS
        if name not in ("pod-kill", "redis-restart"):
            assert sum(figures["failed"].values()) == 0, name


def test_a_new_image_and_a_changed_rule_cost_no_request(
    stack: PulumiStack, facts: Facts, namespace: str, url: str
) -> None:
    before = {pod.uid for tier in (KATO, BALANCER) for pod in facts.cluster(namespace).pods(tier)}
    with steady_load(url) as load:
        load.mark("up")
        stack.configure(
            katoImage=NEXT_KATO, balancer={"revealServers": True, "timeouts": {"read": 290}}
        )
        stack.up()
        facts.cluster(namespace).wait_settled()
    report, lost = load.report(), load.lost()
    after = {pod.uid for tier in (KATO, BALANCER) for pod in facts.cluster(namespace).pods(tier)}

    assert report.failures == ()
    assert (lost.lost, lost.doubled) == ((), ())
    assert before & after == set()
    assert stack.preview("--expect-no-changes").returncode == 0


def test_a_balancer_that_goes_answers_until_its_clients_have_closed(
    facts: Facts, namespace: str
) -> None:
    """Or the node keeps a half-closed connection, and with it the way to a dead pod."""
    cluster = facts.cluster(namespace)
    pod = cluster.serving(BALANCER)[0]
    with socket.create_connection((str(pod.address), 8080), timeout=20) as connection:
        port = connection.getsockname()[1]
        cluster.evict(pod)
        wait_for(lambda: _says_goodbye(connection), 60, "the balancer's end")
        # A client that is slow to notice.
        time.sleep(2)
    wait_for(
        lambda: pod.uid not in {one.uid for one in cluster.pods(BALANCER)}, 60, "the pod's end"
    )

    assert connection_states(port) == {"TIME_WAIT"}


def _says_goodbye(connection: socket.socket) -> bool:
    """Ask once more; true when the answer is the connection's last, or its end."""
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: kato\r\n\r\n")
    answer = connection.recv(65536)
    return not answer or b"connection: close" in answer.lower()


def test_a_scale_out_moves_sessions_to_the_new_pod_only(
    facts: Facts, namespace: str, url: str
) -> None:
    cluster = facts.cluster(namespace)
    ids = sessions(url, 600)
    before = owners(url, ids)
    cluster.scale(4)
    wait_for(lambda: len(cluster.serving(KATO)) == 4, 60, "the fourth pod")
    cluster.wait_settled()
    wait_until_known(cluster, "kato-3", ids)
    after = owners(url, ids)
    moved = {session for session in ids if before[session] != after[session]}

    assert {after[session] for session in moved} == {"kato-3"}
    # With that the share is the ring's, which the rings' own tests bound.
    pods = [f"kato-{number}" for number in range(4)]
    assert before == predicted("nginx", namespace, pods[:3], ids)
    assert after == predicted("nginx", namespace, pods, ids)

    cluster.scale(3)
    cluster.wait_settled()
    assert owners(url, ids) == before


def test_a_pod_that_comes_back_with_a_new_address_moves_no_other_pods_sessions(
    facts: Facts, namespace: str, url: str
) -> None:
    cluster = facts.cluster(namespace)
    ids = sessions(url, 300)
    before = owners(url, ids)
    victim = cluster.serving(KATO)[1]
    cluster.kill(victim)
    wait_for(
        lambda: (
            victim.uid not in {pod.uid for pod in cluster.serving(KATO)}
            and len(cluster.serving(KATO)) == 3
        ),
        60,
        "the pod's return",
    )
    back = next(pod for pod in cluster.serving(KATO) if pod.name == victim.name)
    assert back.address != victim.address
    wait_for(lambda: owners(url, ids) == before, 60, "the sessions' return")


def test_a_killed_process_costs_what_it_was_working_on(
    facts: Facts, namespace: str, url: str
) -> None:
    cluster = facts.cluster(namespace)
    victim = cluster.serving(KATO)[0]
    with steady_load(url) as load:
        load.mark("SIGKILL")
        kill_process(victim.name, namespace, KATO)
        wait_for(
            lambda: (
                [pod.restarts for pod in cluster.serving(KATO) if pod.uid == victim.uid]
                == [victim.restarts + 1]
            ),
            60,
            "the process's return",
        )
    report, lost = load.report(), load.lost()

    assert (lost.lost, lost.doubled) == ((), ())
    assert [failure for failure in report.failures if failure.method == "GET"] == []
    # A client that waits for its answer has one observation in flight.
    assert len({failure.path for failure in report.failures}) == len(report.failures) <= CLIENTS


def test_the_balancers_figures_are_on_a_port_of_their_own(
    facts: Facts, namespace: str, url: str
) -> None:
    assert httpx.get(f"{url}/lb/status").status_code == 404
    pod = facts.cluster(namespace).serving(BALANCER)[0]
    assert "Active connections" in httpx.get(f"http://{pod.address}:8081/lb/status").text


def test_destroy_leaves_nothing_and_nobody_is_killed(
    stack: PulumiStack, facts: Facts, namespace: str
) -> None:
    with Endings(facts, namespace) as endings:
        stack.destroy()
    assert facts.namespaces_objects(namespace) == []
    assert {name.rpartition("-")[0] for name in endings.codes} >= {"kato", "kato-redis"}
    assert 137 not in endings.codes.values(), endings.codes
