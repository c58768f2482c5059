"""The exporter beside the balancers of a cluster, and what the Prometheus operator finds."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from k8s_stacks import of_kind, stack
from program import run_program
from recording import Recording

from components import KatoK8sStack, log_exporter, redis_exporter
from kato_balancing import kato
from kato_balancing.monitoring import rules

SOCKET = "/run/kato-log/socket"
WATCHED: dict[str, Any] = {"monitoring": {}, "namespace": "there"}
MONITORED: dict[str, Any] = {"monitoring": {"monitors": True}, "namespace": "there"}


def _pod(**arguments: Any) -> dict[str, Any]:
    """The balancer's pods."""
    return dict(_template(stack({**WATCHED, **arguments}), "kato-balancer")["spec"])


def _template(recording: Recording, name: str) -> dict[str, Any]:
    """The pods of the Deployment of this name."""
    [found] = [one for one in of_kind(recording, "Deployment") if one["metadata"]["name"] == name]
    return dict(found["spec"]["template"])


@pytest.mark.parametrize(
    ("proxy", "line"),
    [
        ("nginx", f"access_log syslog:server=unix:{SOCKET},nohostname kato;"),
        ("haproxy", f"log {SOCKET} len 8192 format raw local0 info"),
    ],
)
def test_the_balancers_log_goes_to_the_exporter_beside_it(proxy: str, line: str) -> None:
    recording = stack({**WATCHED, "balancer": {"proxy": proxy}})
    texts = [str(one.get("data")) for one in of_kind(recording, "ConfigMap")]
    pod = _pod(balancer={"proxy": proxy})
    [exporter], [balancer] = pod["initContainers"], pod["containers"]

    assert [text for text in texts if line in text]
    assert exporter["image"] == log_exporter.IMAGE
    assert exporter["restartPolicy"] == "Always"
    for container in (exporter, balancer):
        [mount] = [m for m in container["volumeMounts"] if m["mountPath"] == "/run/kato-log"]
        assert not mount.get("readOnly")
        assert mount["name"] in [v["name"] for v in pod["volumes"] if "emptyDir" in v]
    assert exporter["args"][:2] == ["--socket", SOCKET]
    assert ("--status" in exporter["args"]) == (proxy == "nginx")
    assert "kato-4=kato-4.kato-replicas.there.svc.cluster.local:8000" in exporter["args"]


def test_no_probe_lets_the_exporter_take_its_pod_out_of_service() -> None:
    [exporter] = _pod()["initContainers"]

    assert not [name for name in exporter if name.endswith("Probe")]
    assert exporter["command"][:2] == ["sh", "-c"]
    assert "while :" in exporter["command"][2]


def test_the_exporter_is_as_unprivileged_as_the_balancer() -> None:
    pod = _pod()

    assert pod["initContainers"][0]["securityContext"] == pod["containers"][0]["securityContext"]


def test_without_monitoring_there_is_no_exporter() -> None:
    recording = stack({})

    for deployment in of_kind(recording, "Deployment"):
        assert "initContainers" not in deployment["spec"]["template"]["spec"]
    assert SOCKET not in str(recording.manifests())


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
def test_the_operator_finds_targets_and_rules(proxy: str) -> None:
    recording = stack({**MONITORED, "balancer": {"proxy": proxy}})
    monitors = {one["metadata"]["name"]: one["spec"] for one in of_kind(recording, "PodMonitor")}
    [rule] = of_kind(recording, "PrometheusRule")
    pods = {
        name: [endpoint["port"] for endpoint in spec["podMetricsEndpoints"]]
        for name, spec in monitors.items()
    }

    expected = ["metrics", *(["private"] if proxy == "haproxy" else [])]
    assert pods == {
        "kato-balancer": expected,
        "kato-replicas": ["http"],
        "kato-redis": ["metrics"],
    }
    assert rule["spec"] == {"groups": rules.groups()}
    template = _template(recording, "kato-balancer")
    selected = monitors["kato-balancer"]["selector"]["matchLabels"]
    assert selected.items() <= template["metadata"]["labels"].items()
    containers = [*template["spec"]["containers"], *template["spec"]["initContainers"]]
    names = {port["name"] for container in containers for port in container["ports"]}
    assert set(pods["kato-balancer"]) <= names
    [workload] = of_kind(recording, "StatefulSet")[:1]
    assert monitors["kato-replicas"]["podMetricsEndpoints"][0]["path"] == kato.PROMETHEUS_PATH
    assert workload


def test_the_canarys_replicas_are_scraped_like_the_others() -> None:
    recording = stack({**MONITORED, "canary": {"image": "kato:6.3.1", "share": 5}})
    monitors = {one["metadata"]["name"]: one["spec"] for one in of_kind(recording, "PodMonitor")}
    [canary] = [
        one["spec"]["template"]["metadata"]["labels"]
        for one in of_kind(recording, "StatefulSet")
        if one["metadata"]["name"] == "kato-canary"
    ]

    assert set(monitors) >= {"kato-balancer", "kato-replicas", "kato-canary-replicas"}
    own = monitors["kato-canary-replicas"]
    assert own["selector"]["matchLabels"].items() <= canary.items()
    assert own["podMetricsEndpoints"] == monitors["kato-replicas"]["podMetricsEndpoints"]


def test_there_are_no_monitors_unless_asked() -> None:
    kinds = {manifest["kind"] for manifest in stack(WATCHED).manifests()}

    assert not kinds & {"PodMonitor", "ServiceMonitor", "PrometheusRule"}


def test_redis_has_an_exporter_in_pods_of_its_own() -> None:
    recording = stack({**MONITORED, "redis": {"password": "hunter-2"}})
    template = _template(recording, "kato-redis-exporter")
    [container] = template["spec"]["containers"]
    [source] = container["envFrom"]
    [monitor] = [
        one["spec"] for one in of_kind(recording, "PodMonitor")
        if one["metadata"]["name"] == "kato-redis"
    ]  # fmt: skip

    assert container["image"] == redis_exporter.IMAGE
    assert source["secretRef"]["name"].startswith("kato-redis-exporter-login-")
    [login] = [one for one in recording.resources if one.name == "kato-redis-exporter-login"]
    assert login.inputs["stringData"] == {
        "REDIS_ADDR": "redis://:hunter-2@kato-redis.there.svc.cluster.local:6379"
    }
    assert any(path.startswith("stringData") for path in login.secrets)
    assert "hunter-2" not in str(template)
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    [port] = container["ports"]
    assert (port["name"], port["containerPort"]) == ("metrics", 9121)


def _policy(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    policies = of_kind(stack(arguments), "NetworkPolicy")
    [found] = [one["spec"] for one in policies if one["metadata"]["name"] == name]
    return dict(found)


def _tiers(peers: list[dict[str, Any]]) -> set[str]:
    """Whose pods these peers of a policy are."""
    return {one["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for one in peers}


def test_the_exporter_reaches_redis_in_the_cluster_and_no_other_pod() -> None:
    [out] = _policy(WATCHED, "kato-redis-exporter")["egress"]
    [in_] = _policy(WATCHED, "kato-redis")["ingress"]

    assert _tiers(out["to"]) == {"redis"}
    assert [one["port"] for one in out["ports"]] == [6379]
    assert _tiers(in_["from"]) == {"kato", "redis-exporter"}


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("redis://cache.example.com:6380", 6380),
        ("rediss://:pass/w@rd:1@cache.example.com:6380/2", 6380),
        ("redis://cache.example.com", 6379),
        ("redis://cache.example.com/2", 6379),
    ],
)
def test_a_redis_elsewhere_is_reached_at_its_port(url: str, port: int) -> None:
    elsewhere = {**WATCHED, "redis": {"url": url}}

    [out] = _policy(elsewhere, "kato-redis-exporter")["egress"]
    *_, kato_out = _policy(elsewhere, "kato-kato")["egress"]
    for rule in (out, kato_out):
        assert "to" not in rule
        assert [one["port"] for one in rule["ports"]] == [port]


def test_without_monitoring_nobody_but_kato_reaches_redis() -> None:
    [in_] = _policy({"namespace": "there"}, "kato-redis")["ingress"]

    assert _tiers(in_["from"]) == {"kato"}


def test_the_operator_selects_its_objects_by_labels_of_their_own() -> None:
    recording = stack({"monitoring": {"monitors": True, "labels": {"release": "prom"}}})

    for one in (*of_kind(recording, "PodMonitor"), *of_kind(recording, "PrometheusRule")):
        assert one["metadata"]["labels"]["release"] == "prom"
    for one in of_kind(recording, "Deployment"):
        assert "release" not in str(one["metadata"]["labels"])


def test_labels_without_monitors_are_refused(
    refusal_of: Callable[[Callable[[], Any]], list[tuple[str, str]]],
) -> None:
    args: Any = {"image": kato.IMAGE, "monitoring": {"labels": {"release": "prom"}}}

    [(path, reason)] = refusal_of(lambda: KatoK8sStack("kato", args))
    assert path == "monitoring.labels"
    assert reason.endswith("remove it")


def _ports_open_to_monitoring(arguments: dict[str, Any], policy: str) -> set[int]:
    return {
        port["port"]
        for rule in _policy(arguments, policy)["ingress"]
        for peer in rule.get("from") or []
        if "monitoring" in str(peer.get("namespaceSelector"))
        for port in rule["ports"]
    }


@pytest.mark.parametrize(
    ("arguments", "balancer", "replicas"),
    [
        ({}, {8081}, set()),
        (WATCHED, {8081, 9102}, set()),
        (MONITORED, {8081, 9102}, {8000}),
    ],
)
def test_prometheus_reaches_what_it_reads_and_no_more(
    arguments: dict[str, Any], balancer: set[int], replicas: set[int]
) -> None:
    assert _ports_open_to_monitoring(arguments, "kato-balancer") == balancer
    assert _ports_open_to_monitoring(arguments, "kato-kato") == replicas
    if "monitoring" in arguments:
        assert _ports_open_to_monitoring(arguments, "kato-redis-exporter") == {9121}


def test_a_stack_without_a_balancer_has_no_log_to_read(
    refusal_of: Callable[[Callable[[], Any]], list[tuple[str, str]]],
) -> None:
    args: Any = {"image": kato.IMAGE, "rules": {"affinity": "CLIENT_IP"}, "monitoring": {}}

    [(path, reason)] = refusal_of(lambda: KatoK8sStack("kato", args))
    assert path == "monitoring"
    assert "use SESSION" in reason


def test_the_setting_on_kubernetes() -> None:
    labels = {"release": "prom", "ourTeam": "platform"}
    watched = {"enabled": True, "exporterImage": "e:1", "monitors": True, "labels": labels}
    recording = run_program(platform="kubernetes", monitoring=watched)

    [rule] = of_kind(recording, "PrometheusRule")
    assert labels.items() <= rule["metadata"]["labels"].items()
    assert '"e:1"' in str(recording.manifests()).replace("'", '"')
    [said] = [line for line in recording.logs if "Images: " in line]
    assert {"e:1", redis_exporter.IMAGE} <= set(said.partition("Images: ")[2].split(", "))
    off = run_program(platform="kubernetes", monitoring={"enabled": False, "monitors": True})
    assert SOCKET not in str(off.manifests())


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"enabled": 1}, "monitoring.enabled: must be true or false"),
        ({"enabled": True, "port": 9090}, "monitoring.port: is not a known setting"),
        ({"enabled": True, "monitors": "x"}, "monitoring.monitors: must be true or false"),
    ],
)
def test_a_wrong_setting_on_kubernetes_is_named(group: dict[str, Any], message: str) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        run_program(platform="kubernetes", monitoring=group)

    assert message in str(caught.value)
