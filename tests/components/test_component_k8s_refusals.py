"""What KatoK8sStack refuses: by the input's path, with the rule and the cure, before anything."""

from typing import Any

import pulumi
import pytest
from k8s_stacks import EXPOSURES, HOST
from recording import Recording, attempt

from components import KatoK8sStack
from kato_balancing import kato

INGRESS = EXPOSURES["ingress"]
TLS = {"certificate": "CERTIFICATE", "key": "KEY"}
COOKIE = {"affinity": "COOKIE"}

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"replicas": 0}, "replicas", "between 1 and 64"),
    ({"replicas": 3.5}, "replicas", "whole number"),
    ({"replicas": "3"}, "replicas", "without quotes"),
    ({"replicas": 3, "autoscaling": {}}, "replicas", "together with autoscaling"),
    ({"autoscaling": {"min_replicas": 1}}, "autoscaling.min_replicas", "at least 2"),
    (
        {"autoscaling": {"min_replicas": 6, "max_replicas": 5}},
        "autoscaling.max_replicas",
        "above min_replicas, 6",
    ),
    (
        {"autoscaling": {"min_replicas": 5, "max_replicas": 5}},
        "autoscaling.max_replicas",
        "give replicas",
    ),
    ({"autoscaling": {"max_replicas": 65}}, "autoscaling.max_replicas", "between 1 and 64"),
    ({"autoscaling": {"cpu_percent": 0}}, "autoscaling.cpu_percent", "at least 1"),
    ({"autoscaling": {"scale_in_seconds": 3601}}, "autoscaling.scale_in_seconds", "at most 3600"),
    (
        {"autoscaling": {"metrics": [{"name": "x", "target": 0}]}},
        "autoscaling.metrics[0].target",
        "greater than 0",
    ),
    ({"image": "kato"}, "image", "tag"),
    ({"image": "kato:5.0.1"}, "image", "5.0.2"),
    ({"process": {"workers": 4}}, "process.workers", "one process"),
    ({"stop_seconds": 34.0}, "stop_seconds", "at least 35 s"),
    ({"pause_seconds": 5.0}, "pause_seconds", "at least 10"),
    ({"dns": {"ttl_seconds": 30}}, "pause_seconds", "at least 34"),
    ({"pause_seconds": 10.0, "balancer": {"proxy": "haproxy"}}, "pause_seconds", "at least 11"),
    ({"resources": {"cpu": 0.0}}, "resources.cpu", "at least 0.01"),
    ({"resources": {"cpu": 2.0, "cpu_limit": 1.0}}, "resources.cpu_limit", "at least cpu, 2"),
    (
        {"resources": {"memory_megabytes": 512, "memory_limit_megabytes": 256}},
        "resources.memory_limit_megabytes",
        "at least memory_megabytes, 512",
    ),
    (
        {"balancer": {"resources": {"memory_limit_megabytes": 64}}},
        "balancer.resources.memory_limit_megabytes",
        "at least memory_megabytes, 128",
    ),
    ({"balancer": {"proxy": "envoy"}}, "balancer.proxy", "one of nginx, haproxy"),
    ({"balancer": {"replicas": 0}}, "balancer.replicas", "at least 1"),
    ({"balancer": {"image": "nginx:stable"}}, "balancer.version", "required"),
    ({"balancer": {"image": "nginx:1.22"}}, "dns.address", "1.27.3"),
    ({"balancer": {"version": "one"}}, "balancer.version", "one"),
    ({"rules": {"learned": {}}}, "rules.learned", "two that learned differently"),
    ({"rules": {"limits": {"balancers": 2}}}, "rules.limits.balancers", "balancer.replicas"),
    ({"rules": {"keep_alive": {"idle": 5.0}}}, "rules.keep_alive.idle", "below KATO's own 5 s"),
    ({"rules": {"affinity": "MAGIC"}}, "rules.affinity", "must be one of"),
    ({"rules": {"spelling": True}}, "rules.spelling", "not a known setting"),
    (
        {"balancer": {"proxy": "haproxy"}, "dns": {"address": "dns.example.com"}},
        "dns.address",
        "IP address",
    ),
    ({"dns": {"domain": "cluster\n.local"}}, "dns.domain", "host name"),
    ({"namespace": "Not;Valid"}, "namespace", "lower-case"),
    ({"redis": {"url": "http://redis"}}, "redis.url", "redis://"),
    (
        {"redis": {"url": "redis://redis:6379", "storage_gigabytes": 1}},
        "redis.storage_gigabytes",
        "belongs to a managed store",
    ),
    ({"redis": {"storage_gigabytes": 0}}, "redis.storage_gigabytes", "at least 1"),
    ({"redis": {"keep_data": True}}, "redis.keep_data", "namespace"),
    ({"redis": {"password": "with space"}}, "redis.password", "letters, digits and hyphens"),
    ({"clickhouse": {}}, "clickhouse.schema", "required"),
    ({"environment": {"LOG_LEVEL": "info"}}, "environment.LOG_LEVEL", "DEBUG"),
    ({"environment": {"KATO_WORKERS": "4"}}, "environment.KATO_WORKERS", "its own input"),
    ({"environment": {"REDIS_URL": "redis://x"}}, "environment.REDIS_URL", "store"),
    ({"exposure": {"kind": "NODE_PORT"}}, "exposure.kind", "must be one of"),
    ({"exposure": {"port": 70000}}, "exposure.port", "at most 65535"),
    ({"exposure": {"host": HOST}}, "exposure.host", "belongs to kind INGRESS or GATEWAY"),
    ({"exposure": {"kind": "INGRESS"}}, "exposure.host", "is required"),
    ({"exposure": {"kind": "GATEWAY", "host": HOST}}, "exposure.gateway", "is required"),
    (
        {"exposure": {**INGRESS, "class_name": "nginx"}},
        "exposure.class_name",
        "no security fixes",
    ),
    (
        {"exposure": {**INGRESS, "annotations": {"nginx.ingress.kubernetes.io/affinity": "x"}}},
        "exposure.annotations",
        "retired",
    ),
    ({"exposure": {**INGRESS, "controller": "traefik"}}, "exposure.controller", "COOKIE"),
    ({"exposure": {"gateway": "edge"}}, "exposure.gateway", "belongs to kind GATEWAY"),
    ({"exposure": INGRESS, "tls": TLS}, "exposure.kind", "tls_secret"),
    (
        {"rules": {"affinity": "CLIENT_IP"}, "exposure": INGRESS},
        "exposure.kind",
        "proxy's address",
    ),
    (
        {"rules": {"affinity": "CLIENT_IP"}, "exposure": {"kind": "LOAD_BALANCER"}},
        "exposure.kind",
        "must be CLUSTER_IP",
    ),
    (
        {"rules": {"affinity": "CLIENT_IP", "balancing": "LEAST_CONNECTIONS"}},
        "rules.balancing",
        "no balancer of its own",
    ),
    (
        {"rules": {"affinity": "CLIENT_IP"}, "balancer": {"replicas": 3}},
        "balancer",
        "no balancer of its own",
    ),
    ({"rules": {"affinity": "CLIENT_IP"}, "tls": TLS}, "tls", "no balancer of its own"),
    ({"rules": COOKIE}, "exposure.kind", "INGRESS or GATEWAY"),
    ({"rules": COOKIE, "exposure": INGRESS}, "exposure.controller", "traefik, haproxy, alb"),
    ({"rules": COOKIE, "exposure": EXPOSURES["gateway"]}, "exposure.session_persistence", "true"),
    (
        {
            "rules": {**COOKIE, "cookie": {"same_site": "none"}},
            "exposure": {"kind": "INGRESS", "host": HOST, "controller": "traefik"},
        },
        "rules.cookie.same_site",
        "tls",
    ),
    ({"network": {"monitoring_namespace": "Two Words"}}, "network.monitoring_namespace", "hyphens"),
    ({"typo": 1}, "typo", "not a known setting"),
]


@pytest.mark.parametrize(("arguments", "path", "rule"), REFUSED)
def test_bad_input_is_refused_before_anything_is_made(
    arguments: dict[str, Any], path: str, rule: str
) -> None:
    recording = Recording(preview=True)

    def program() -> None:
        KatoK8sStack("kato", {"image": kato.IMAGE, **arguments})  # type: ignore[typeddict-item]

    with pytest.raises(pulumi.InputPropertiesError) as refused:
        attempt(program, recording)

    details = {one["property_path"]: one["reason"] for one in refused.value.errors or []}
    assert path in details, details
    assert rule in details[path]
    assert recording.resources == []


def test_everything_that_is_wrong_is_said_at_once() -> None:
    arguments: Any = {
        "image": kato.IMAGE,
        "pause_seconds": 1.0,
        "resources": {"cpu": 2.0, "cpu_limit": 1.0},
        "exposure": {**INGRESS, "controller": "alb"},
    }
    with pytest.raises(pulumi.InputPropertiesError) as refused:
        KatoK8sStack("kato", arguments)

    assert {one["property_path"] for one in refused.value.errors or []} == {
        "pause_seconds",
        "resources.cpu_limit",
        "exposure.controller",
    }


@pytest.mark.parametrize("name", ["Kato", "kato.io", "k" * 41, "-kato"])
def test_a_name_that_objects_can_not_have_is_refused(name: str) -> None:
    with pytest.raises(pulumi.InputPropertiesError, match="can't be the component's name"):
        KatoK8sStack(name, {"image": kato.IMAGE})


def test_a_secret_is_not_repeated_in_a_message() -> None:
    with pytest.raises(pulumi.InputPropertiesError) as refused:
        KatoK8sStack("kato", {"image": kato.IMAGE, "redis": {"password": "hunter 2"}})

    assert "hunter" not in str(refused.value)
