"""The other ways to keep clients apart, on a real cluster: address, cookie, table, HAProxy."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from conftest import SMALL
from k8s_facts import (
    Facts,
    balancer_urls,
    owners,
    pod_of,
    predicted,
    sessions,
    wait_for,
    wait_until_known,
)
from kubernetes import client
from patient_balancer import patient_balancer
from pulumi_stack import PulumiStack
from steady_load import steady_load
from verdicts import complaints

from dev.cluster import ingress
from kato_balancing.verify import VerifyOptions, verify
from kato_balancing.verify.disruption.cluster import KATO

HOST = "kato.example.com"
GATEWAY = f"edge-{secrets.token_hex(2)}"
"""With an ending of its own: a run that was killed leaves its gateway behind."""
WITHOUT_BALANCER: dict[str, Any] = {"balancer": {}, "balancerPods": {}}


@pytest.fixture(scope="module")
def edge(facts: Facts) -> Iterator[str]:
    """An ingress controller and a Gateway; the address of both."""
    ingress.up()
    gateways = client.CustomObjectsApi(facts.api)
    where = ("gateway.networking.k8s.io", "v1", "default", "gateways")
    listener = {
        "name": "web",
        "port": 80,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    gateways.create_namespaced_custom_object(
        *where,
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": GATEWAY},
            "spec": {"gatewayClassName": ingress.CLASS, "listeners": [listener]},
        },
    )
    yield ingress.URL
    gateways.delete_namespaced_custom_object(*where, GATEWAY)
    ingress.down()


@pytest.fixture(scope="module")
def haproxy(new_stack: Callable[..., PulumiStack]) -> PulumiStack:
    # As docs/kubernetes.md advises for HAProxy on a busy node.
    stack = new_stack(
        "haproxy", proxy="haproxy", pauseSeconds=15, balancer=patient_balancer("haproxy")
    )
    stack.up()
    return stack


def test_haproxy_keeps_sessions_whole_and_both_agree(haproxy: PulumiStack, facts: Facts) -> None:
    namespace = haproxy.outputs()["namespace"]
    balancers = balancer_urls(facts.cluster(namespace))
    assert len(balancers) == 2
    for base in (facts.url(namespace), *balancers):
        report = verify(base, VerifyOptions())
        assert complaints(report.to_dict()) == []
    ids = sessions(balancers[0], 200)
    assert owners(balancers[0], ids) == owners(balancers[1], ids)


def test_haproxy_scales_and_updates_without_a_lost_request(
    haproxy: PulumiStack, facts: Facts
) -> None:
    namespace = haproxy.outputs()["namespace"]
    cluster, url = facts.cluster(namespace), facts.url(namespace)
    ids = sessions(url, 400)
    before = owners(url, ids)
    with steady_load(url) as load:
        load.mark("3 → 4")
        cluster.scale(4)
        cluster.wait_settled()
        wait_until_known(cluster, "kato-3", ids)
        after = owners(url, ids)
        # It was scaled by hand before: what the settings say wins.
        load.mark("changed setting, 4 → 2")
        changed = patient_balancer("haproxy", timeouts={"read": 290})
        haproxy.configure(balancer=changed, replicas=2)
        haproxy.up()
        assert cluster.replicas() == 2
        load.mark("2 → 3")
        haproxy.configure(replicas=3)
        haproxy.up()
        cluster.wait_settled()

    assert load.report().failures == ()
    assert (load.lost().lost, load.lost().doubled) == ((), ())
    pods = [f"kato-{number}" for number in range(4)]
    assert before == predicted("haproxy", namespace, pods[:3], ids)
    assert after == predicted("haproxy", namespace, pods, ids)
    assert owners(url, ids) == before


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
def test_a_learned_table_moves_no_live_session_at_a_scale_out(
    proxy: str, new_stack: Callable[..., PulumiStack], facts: Facts
) -> None:
    stack = new_stack(
        f"learned-{proxy}",
        proxy=proxy,
        balancer=patient_balancer(proxy, learned={}),
        balancerPods={"replicas": 1, **SMALL["balancerPods"]},
    )
    stack.up()
    namespace = stack.outputs()["namespace"]
    cluster, url = facts.cluster(namespace), facts.url(namespace)
    ids = sessions(url, 400)
    before = owners(url, ids)
    cluster.scale(4)
    wait_for(lambda: len(cluster.serving(KATO)) == 4, 60, "the fourth pod")
    new: list[str] = []

    def reached() -> bool:
        new.extend(sessions(url, 20))
        return "kato-3" in owners(url, new).values()

    wait_for(reached, 60, "a new session on the new pod")
    moved = {session for session, pod in owners(url, ids).items() if pod != before[session]}
    assert moved == set()


def test_client_ip_keeps_each_client_on_one_pod(
    new_stack: Callable[..., PulumiStack], facts: Facts
) -> None:
    stack = new_stack("by-address", affinity="CLIENT_IP", **WITHOUT_BALANCER)
    stack.up()
    namespace = stack.outputs()["namespace"]
    address = facts.cluster(namespace).service_address()
    mine = Counter(pod_of(httpx.get(f"http://{address}/health")) for _ in range(200))
    assert list(mine.values()) == [200]

    used = set(mine)
    script = (
        "import urllib.request as u\n"
        "for _ in range(50):\n"
        f"    print(u.urlopen('http://{address}/health').headers['X-Stand-In'].partition(':')[0])"
    )
    for number in range(6):
        with facts.foreign_pod(f"client-{number}", namespace, SMALL["katoImage"]) as caller:
            printed = facts.run_in(caller, namespace, ["python3", "-c", script]).split()
        theirs = set(printed[:-2])
        assert len(printed) == 52
        assert len(theirs) == 1, f"client {number} was on {theirs}"
        used |= theirs
    # Seven clients on one of three pods by chance: 1 in 700.
    assert len(used) > 1


def test_a_cookie_keeps_a_client_on_one_pod_over_a_scale_out(
    new_stack: Callable[..., PulumiStack], facts: Facts, edge: str
) -> None:
    stack = new_stack(
        "by-cookie",
        affinity="COOKIE",
        exposure={
            "kind": "INGRESS", "host": HOST, "className": "traefik", "controller": "traefik",
        },
        **WITHOUT_BALANCER,
    )  # fmt: skip
    stack.up()
    assert stack.outputs()["url"] == f"http://{HOST}"
    namespace = stack.outputs()["namespace"]
    cluster = facts.cluster(namespace)
    headers = {"Host": HOST}
    wait_for(
        lambda: httpx.get(f"{edge}/health", headers=headers).status_code == 200, 60, "the Ingress"
    )
    without = Counter(pod_of(httpx.get(f"{edge}/health", headers=headers)) for _ in range(60))
    assert len(without) == 3

    with httpx.Client(base_url=edge, headers=headers) as browser:
        first = browser.get("/health")
        assert "httponly" in first.headers["Set-Cookie"].lower()
        # Only the name in the Host header counts: the jar is kept by hand.
        cookie = first.headers["Set-Cookie"].partition(";")[0]
        browser.cookies.clear()
        seen = {pod_of(first)}
        for number in range(200):
            if number == 100:
                cluster.scale(4)
                cluster.wait_settled()
            seen.add(pod_of(browser.get("/health", headers={"Cookie": cookie})))
        assert len(seen) == 1


def test_a_gateway_route_is_accepted_and_served(
    new_stack: Callable[..., PulumiStack], facts: Facts, edge: str
) -> None:
    stack = new_stack(
        "by-route",
        exposure={
            "kind": "GATEWAY", "host": "route.example.com",
            "gateway": GATEWAY, "gatewayNamespace": "default",
        },
    )  # fmt: skip
    stack.up()
    namespace = stack.outputs()["namespace"]
    headers = {"Host": "route.example.com"}
    wait_for(
        lambda: httpx.get(f"{edge}/health", headers=headers).status_code == 200, 60, "the route"
    )
    routes = client.CustomObjectsApi(facts.api)
    group, version = "gateway.networking.k8s.io", "v1"
    found = routes.get_namespaced_custom_object(group, version, namespace, "httproutes", "kato")
    conditions = found["status"]["parents"][0]["conditions"]
    assert {c["type"]: c["status"] for c in conditions}["Accepted"] == "True"
    assert httpx.get(f"{edge}/health").status_code == 404
