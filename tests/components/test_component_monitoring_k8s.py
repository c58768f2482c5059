"""The exporter beside the balancers of a cluster, and what the Prometheus operator finds."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from k8s_stacks import of_kind, stack
from program import run_program

from components import KatoK8sStack, log_exporter
from kato_balancing import kato
from kato_balancing.monitoring import rules

SOCKET = "/run/kato-log/socket"
WATCHED: dict[str, Any] = {"monitoring": {}, "namespace": "there"}
MONITORED: dict[str, Any] = {"monitoring": {"monitors": True}, "namespace": "there"}


def _pod(**arguments: Any) -> dict[str, Any]:
    """The balancer's pods."""
    recording = stack({**WATCHED, **arguments})
    [found] = [d for d in of_kind(recording, "Deployment")]
    return dict(found["spec"]["template"]["spec"])


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
    assert pods == {"kato-balancer": expected, "kato-replicas": ["http"]}
    assert rule["spec"] == {"groups": rules.groups()}
    [deployment] = of_kind(recording, "Deployment")
    template = deployment["spec"]["template"]
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

    assert set(monitors) == {"kato-balancer", "kato-replicas", "kato-canary-replicas"}
    own = monitors["kato-canary-replicas"]
    assert own["selector"]["matchLabels"].items() <= canary.items()
    assert own["podMetricsEndpoints"] == monitors["kato-replicas"]["podMetricsEndpoints"]


def test_there_are_no_monitors_unless_asked() -> None:
    kinds = {manifest["kind"] for manifest in stack(WATCHED).manifests()}

    assert not kinds & {"PodMonitor", "ServiceMonitor", "PrometheusRule"}


def _ports_open_to_monitoring(arguments: dict[str, Any], policy: str) -> set[int]:
    policies = of_kind(stack(arguments), "NetworkPolicy")
    [found] = [one for one in policies if one["metadata"]["name"] == policy]
    return {
        port["port"]
        for rule in found["spec"]["ingress"]
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


def test_a_stack_without_a_balancer_has_no_log_to_read(
    refusal_of: Callable[[Callable[[], Any]], list[tuple[str, str]]],
) -> None:
    args: Any = {"image": kato.IMAGE, "rules": {"affinity": "CLIENT_IP"}, "monitoring": {}}

    [(path, reason)] = refusal_of(lambda: KatoK8sStack("kato", args))
    assert path == "monitoring"
    assert "use SESSION" in reason


def test_the_setting_on_kubernetes() -> None:
    watched = {"enabled": True, "exporterImage": "e:1", "monitors": True}
    recording = run_program(platform="kubernetes", monitoring=watched)

    assert of_kind(recording, "PrometheusRule")
    assert '"e:1"' in str(recording.manifests()).replace("'", '"')
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
