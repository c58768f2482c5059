"""Stacks on Kubernetes for the tests: one for each way in and each balancer."""

from collections.abc import Mapping
from typing import Any

import pulumi
from recording import Recording, run

from components import KatoK8sStack
from kato_balancing import kato

HOST = "kato.example.com"

EXPOSURES: dict[str, dict[str, Any]] = {
    "cluster-ip": {},
    "load-balancer": {"kind": "LOAD_BALANCER", "annotations": {"example.com/pool": "public"}},
    "ingress": {"kind": "INGRESS", "host": HOST, "class_name": "traefik", "tls_secret": "kato-tls"},
    "gateway": {"kind": "GATEWAY", "host": HOST, "gateway": "edge", "gateway_namespace": "edge"},
}

COOKIE_EXPOSURES: dict[str, dict[str, Any]] = {
    **{
        f"ingress-{controller}": {**EXPOSURES["ingress"], "controller": controller}
        for controller in ("traefik", "haproxy", "alb")
    },
    "gateway": {**EXPOSURES["gateway"], "session_persistence": True},
}

VARIANTS: dict[str, dict[str, Any]] = {
    **{
        f"{affinity.lower()}-{proxy}-{way}": {
            "rules": {"affinity": affinity},
            "balancer": {"proxy": proxy},
            "exposure": exposure,
        }
        for affinity in ("SESSION", "NONE")
        for proxy in ("nginx", "haproxy")
        for way, exposure in EXPOSURES.items()
    },
    "client-ip": {"rules": {"affinity": "CLIENT_IP"}},
    **{
        f"cookie-{way}": {
            "rules": {"affinity": "COOKIE", "cookie": {"max_age": 3600.0}},
            "exposure": exposure,
        }
        for way, exposure in COOKIE_EXPOSURES.items()
    },
}
"""Every affinity with every balancer and every way in that go together."""

EVERYTHING: dict[str, Any] = {
    "autoscaling": {
        "memory_percent": 80,
        "metrics": [{"name": "kato_requests_in_flight", "target": 20.5}],
    },
    "redis": {"password": "hunter-2", "storage_class": "fast"},
    "clickhouse": {"schema": "CREATE TABLE one (a Int8) ENGINE = Memory;", "password": "hunter-3"},
    "qdrant": {"api_key": "hunter-4"},
    "tls": {"certificate": "CERTIFICATE", "key": "hunter-5"},
    "environment": {"LOG_LEVEL": "WARNING"},
    "labels": {"team": "platform"},
    "resources": {"cpu": 1.5, "cpu_limit": 2.0, "memory_megabytes": 700},
}
"""A stack with every optional part."""

SECRETS = ("hunter-2", "hunter-3", "hunter-4", "hunter-5")


def stack(
    arguments: Mapping[str, Any] | None = None, name: str = "kato", **options: Any
) -> Recording:
    """The stack, recorded."""

    def program() -> None:
        KatoK8sStack(name, {"image": kato.IMAGE, **(arguments or {})}, **options)  # type: ignore[typeddict-item]

    return run(program)


def of_kind(recording: Recording, kind: str) -> list[dict[str, Any]]:
    """The objects of a kind; fails when there is none."""
    found = [one for one in recording.manifests() if one["kind"] == kind]
    assert found, f"no {kind} was registered"
    return found


def templates(recording: Recording) -> list[tuple[str, dict[str, Any]]]:
    """Name and pod template of every workload; fails when there is none."""
    found = [
        (f"{one['kind']} {one['metadata'].get('name', '')}", one["spec"]["template"])
        for one in recording.manifests()
        if one["kind"] in ("Deployment", "StatefulSet", "Job")
    ]
    assert found, "no workload was registered"
    return found


def with_provider(name: str) -> pulumi.ResourceOptions:
    """Options that name a provider of their own."""
    import pulumi_kubernetes as k8s

    return pulumi.ResourceOptions(providers=[k8s.Provider(name, context="somewhere")])
