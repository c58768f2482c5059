"""Every object that other projects' operators read, against those projects' own definitions."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from k8s_stacks import VARIANTS, stack
from recording import run
from strict_schema import problems

from components import GeoDnsOnKubernetes
from dev.cluster.resource_definitions import definitions

MONITORED = {
    f"{name}{ending}": {**arguments, **more, "monitoring": {"monitors": True}}
    for name, arguments in VARIANTS.items()
    if "balancer" in arguments
    for ending, more in {
        "": {},
        "-canary": {"canary": {"image": "kato:6.3.1", "share": 5}},
    }.items()
}


def _region(name: str, *addresses: str) -> dict[str, Any]:
    return {
        "name": name,
        "addresses": addresses,
        "location": {"latitude": -33.87, "longitude": 151.2},
        "health_url": "https://kato.example.com/sessions/lb-probe/exists",
    }


DNS: dict[str, Any] = {
    "namespace": "dns",
    "zone": "kato.example.com",
    "record": "api",
    "name_servers": ["ns1.example.net"],
    "regions": [
        _region("eu", "192.0.2.1", "192.0.2.2", "2001:db8::1"),
        _region("us", "2001:db8::2"),
        _region("asia", "192.0.2.3"),
    ],
    "backup": {"region": "eu"},
    "draining": ["asia"],
    "labels": {"team": "platform"},
}
ANSWERED: dict[str, dict[str, Any]] = {
    "external-dns": {"answered_by": "EXTERNAL_DNS"},
    "k8gb": {"answered_by": "K8GB", "ingress": "kato"},
}


@pytest.fixture(scope="module")
def defined() -> dict[str, dict[str, Any]]:
    return definitions()


def _custom(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects that no Kubernetes has by itself, as plain data."""
    own = ("apps/", "batch/", "autoscaling/", "networking.k8s.io/", "policy/")
    found = [
        one
        for one in manifests
        if "/" in one["apiVersion"]
        and not one["apiVersion"].startswith((*own, "gateway.networking.k8s.io/"))
    ]
    return list(json.loads(json.dumps(found)))


def _answered(name: str) -> list[dict[str, Any]]:
    args: Any = {**DNS, **ANSWERED[name]}
    return _custom(run(lambda: GeoDnsOnKubernetes("kato-dns", args)).manifests())


def _checked(
    found: list[dict[str, Any]], defined: dict[str, dict[str, Any]]
) -> dict[str, list[str]]:
    return {
        f"{one['kind']} {one['metadata']['name']}": problems(defined[one["kind"]], one)
        for one in found
    }


@pytest.mark.parametrize("name", MONITORED)
def test_what_the_prometheus_operator_reads(name: str, defined: dict[str, dict[str, Any]]) -> None:
    found = _checked(_custom(stack(MONITORED[name]).manifests()), defined)

    monitors = 4 if name.endswith("-canary") else 3
    assert len(found) == monitors + 1
    assert {kind for kind, _, _ in (one.partition(" ") for one in found)} == {
        "PodMonitor",
        "PrometheusRule",
    }
    assert set(map(tuple, found.values())) == {()}, found


@pytest.mark.parametrize("name", ANSWERED)
def test_what_others_dns_reads(name: str, defined: dict[str, dict[str, Any]]) -> None:
    found = _checked(_answered(name), defined)

    assert len(found) == 1
    assert list(found.values()) == [[]]


def _misspelt(one: dict[str, Any]) -> None:
    one["spec"]["endpoints"][0]["dnsname"] = "x"


def _as_text(one: dict[str, Any]) -> None:
    one["spec"]["endpoints"][0]["recordTTL"] = "20"


@pytest.mark.parametrize(
    ("breaking", "said"),
    [
        (_misspelt, "spec.endpoints.0: Additional properties are not allowed ('dnsname'"),
        (_as_text, "spec.endpoints.0.recordTTL: '20' is not of type 'integer'"),
    ],
)
def test_a_wrong_object_would_be_found(
    breaking: Callable[[dict[str, Any]], None], said: str, defined: dict[str, dict[str, Any]]
) -> None:
    [sound] = _answered("external-dns")
    broken = copy.deepcopy(sound)
    breaking(broken)

    [found] = problems(defined["DNSEndpoint"], broken)
    assert found.startswith(said)
