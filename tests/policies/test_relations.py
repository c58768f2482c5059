"""What belongs to what: names, namespaces, selectors, dependency edges; and single controls."""

import textwrap
from dataclasses import replace
from typing import Any

import pytest

from policies.amounts import go_seconds, int_or_percent
from policies.catalogue import rule
from policies.examples.reading import resource, resources
from policies.examples.sound import ON_NGINX
from policies.findings import Broken, Unverified, masked, shown
from policies.image_references import parse
from policies.relations import Stack
from policies.resources import Resource
from policies.rule import Knobs
from policies.selectors import selects, selects_plain
from policies.values import UNKNOWN, Undecided, Value


def _value(data: Any) -> Value:
    return Value("urn", "", data)


def _hits(rule_id: str, found: list[Resource], **knobs: Any) -> list[Broken | Unverified]:
    one = rule(rule_id)
    subjects: list[Any] = [Stack(found)] if one.stack else found
    return [hit for subject in subjects for hit in one.hits(subject, Knobs(one, knobs))]


def _paths(rule_id: str, found: list[Resource], **knobs: Any) -> list[str]:
    return [hit.path for hit in _hits(rule_id, found, **knobs) if isinstance(hit, Broken)]


def _open(rule_id: str, found: list[Resource], **knobs: Any) -> list[str]:
    return [hit.path for hit in _hits(rule_id, found, **knobs) if isinstance(hit, Unverified)]


def _read(text: str) -> list[Resource]:
    return resources(textwrap.dedent(text))


def _changed(found: list[Resource], name: str, **changes: Any) -> list[Resource]:
    assert any(one.name == name for one in found)
    return [replace(one, **changes) if one.name == name else one for one in found]


WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: a}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: web, track: stable}}
    spec: {containers: [{name: web, image: web, ports: [{name: http, containerPort: 80}]}]}
"""
SCALER = """\
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: a}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 5
"""


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"matchLabels": {"app": "kato"}}, True),
        ({"matchLabels": {"app": "kato", "track": "canary"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["x", "kato"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["kato"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"app": "other", "u": UNKNOWN}}, False),
        ({"matchLabels": {"app": UNKNOWN}}, None),
        ({"matchLabels": {"u": "v"}}, None),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": [UNKNOWN]}]}, None),
        (
            {"matchExpressions": [{"key": "app", "operator": "In", "values": [UNKNOWN, "kato"]}]},
            True,
        ),
        ({"matchExpressions": [{"key": "u", "operator": "Exists"}]}, True),
        ({"matchExpressions": UNKNOWN}, None),
    ],
)
def test_a_selector_is_judged_with_three_values(selector: Any, expected: bool | None) -> None:
    labels = _value({"app": "kato", "u": UNKNOWN})

    if expected is None:
        with pytest.raises(Undecided):
            selects(_value(selector), labels)
    else:
        assert selects(_value(selector), labels) is expected


def test_an_empty_selector_of_a_service_takes_nothing() -> None:
    assert not selects_plain(_value({}), _value({"app": "kato"}))


@pytest.mark.parametrize(
    ("text", "of", "up", "count"),
    [("50%", 3, True, 2), ("50%", 3, False, 1), ("0%", 3, True, 0), (1.0, 3, True, 1),
     ("1", 3, True, 1), ("x", 3, True, None), (1.5, 3, True, None), (True, 3, True, None)],
)  # fmt: skip
def test_an_int_or_percent_is_a_count(text: Any, of: int, up: bool, count: int | None) -> None:
    assert int_or_percent(_value(text), of, up=up) == count


def test_go_durations() -> None:
    assert go_seconds("1m30s") == 90
    assert go_seconds("500ms") == 0.5
    assert go_seconds("5") is None
    assert go_seconds("") is None


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest", "is_kato"),
    [
        ("kato", "kato", "", "", True),
        ("registry.example:5000/kato", "registry.example:5000/kato", "", "", True),
        ("ghcr.io/acme/kato:6.3.0@sha256:ab", "ghcr.io/acme/kato", "6.3.0", "sha256:ab", True),
        ("acme/kato-exporter:1", "acme/kato-exporter", "1", "", False),
        ("kato-lb/kato-stand-in:6.3.0", "kato-lb/kato-stand-in", "6.3.0", "", True),
    ],
)
def test_an_image_is_taken_apart(
    text: str, repository: str, tag: str, digest: str, is_kato: bool
) -> None:
    found = parse(text)

    assert (found.repository, found.tag, found.digest) == (repository, tag, digest)
    assert found.is_kato is is_kato


def test_an_autoscaler_of_another_namespace_scales_nothing_here() -> None:
    there = _read(WORKLOAD + SCALER.replace("namespace: a", "namespace: b"))

    assert _paths("hpa-target-valid", there) == ["spec.scaleTargetRef.name"]
    assert _paths("hpa-target-valid", _read(WORKLOAD + SCALER)) == ["spec.replicas"]


def test_an_unknown_target_is_found_by_its_dependency_or_left_open() -> None:
    found = _read(WORKLOAD + SCALER)
    workload, scaler = found
    data = {**scaler.data, "spec": {**scaler.data["spec"]}}
    data["spec"]["scaleTargetRef"] = {"kind": "Deployment", "name": UNKNOWN}
    unknown = replace(scaler, data=data)
    with_edge = replace(unknown, property_depends_on={"spec": (workload.urn,)})

    assert _paths("hpa-target-valid", [workload, unknown]) == []
    assert "spec.scaleTargetRef.name" in _open("hpa-target-valid", [workload, unknown])
    assert _paths("hpa-target-valid", [workload, with_edge]) == ["spec.replicas"]


def test_an_unknown_namespace_is_told_apart_by_the_namespace_that_both_depend_on() -> None:
    workload, scaler = _read(WORKLOAD + SCALER)
    namespace = Resource("urn:ns", "kubernetes:core/v1:Namespace", "ns", {})
    in_it = {"metadata": ("urn:ns",)}

    def unknown(one: Resource, **more: Any) -> Resource:
        data = {**one.data, "metadata": {"name": "web", "namespace": UNKNOWN}}
        return replace(one, data=data, **more)

    known = [namespace, *(unknown(one, property_depends_on=in_it) for one in (workload, scaler))]
    unsure = [namespace, unknown(workload, property_depends_on=in_it), unknown(scaler)]

    assert _paths("hpa-target-valid", known) == ["spec.replicas"]
    assert _paths("hpa-target-valid", unsure) == []
    assert _open("hpa-target-valid", unsure)


def test_the_count_that_the_api_server_filled_in_is_not_the_programs() -> None:
    """After `pulumi up` the outputs of a workload under an autoscaler have a count."""
    workload, scaler = _read(WORKLOAD + SCALER)
    stated = {**workload.data, "spec": {"template": workload.data["spec"]["template"]}}

    assert _paths("hpa-target-valid", [replace(workload, stated_data=stated), scaler]) == []


def test_what_a_chart_may_hold_is_not_called_missing() -> None:
    chart = Resource("urn:chart", "kubernetes:helm.sh/v3:Release", "chart", {})
    found = [one for one in resources(ON_NGINX) if one.kind != "PodDisruptionBudget"]

    assert len(_paths("pdb-covers-workload", found)) == 2
    assert _paths("pdb-covers-workload", [*found, chart]) == []
    assert len(_open("pdb-covers-workload", [*found, chart])) == 2


@pytest.mark.parametrize(
    ("host", "namespace", "fronts"),
    [
        ("kato-0.kato.here.svc.cluster.local", "here", True),
        ("kato-0.kato.here.svc.cluster.local", "there", False),
        ("kato.here.svc", "here", True),
        ("kato.here.svc", "there", False),
        ("kato.here.svc", UNKNOWN, True),
        ("kato-0.kato", "there", True),
        ("kato", "here", True),
        ("kato", "there", False),
        ("other.here.svc", "here", False),
    ],
)
def test_a_balancer_fronts_the_service_that_its_servers_names_mean(
    host: str, namespace: Any, fronts: bool
) -> None:
    text = (
        f"upstream u {{ server {host}:8000; }}\nserver {{ location / {{ proxy_pass http://u; }} }}"
    )
    place = {"name": "kato", "namespace": namespace}
    service = resource({"apiVersion": "v1", "kind": "Service", "metadata": place})
    balancer = resource(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "nginx", "namespace": "here"},
            "data": {"nginx.conf": text},
        }
    )

    assert bool(Stack([balancer, service]).fronting(service)) == fronts


def test_a_budget_is_measured_by_the_fewest_replicas() -> None:
    budget = """\
        ---
        apiVersion: policy/v1
        kind: PodDisruptionBudget
        metadata: {name: web, namespace: a}
        spec:
          minAvailable: 2
          unhealthyPodEvictionPolicy: AlwaysAllow
          selector: {matchExpressions: [{key: app, operator: In, values: [web]}]}
        """
    found = WORKLOAD.replace("  replicas: 3\n", "") + SCALER + textwrap.dedent(budget)

    assert _paths("pdb-covers-workload", _read(found)) == ["spec.minAvailable"]
    assert _paths("pdb-covers-workload", _read(found.replace("Replicas: 2", "Replicas: 3"))) == []


def test_a_service_must_not_mix_canary_and_stable() -> None:
    canary = WORKLOAD.replace("name: web, namespace", "name: canary, namespace").replace(
        "stable", "canary"
    )
    service = """\
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: a}
        spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
        """
    found = _read(WORKLOAD + "---\n" + canary + textwrap.dedent(service))

    assert _paths("service-selects-pods", found) == ["spec.selector"]
    assert _paths("service-selects-pods", found, several=True) == []


ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: kato, namespace: kato}
spec:
  rules:
  - backendRefs:
    - {name: kato-replicas, port: 8000, weight: 90}
    - {name: kato-canary, port: 8000, weight: 10}
"""


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("weight: 10", "weight: 10", None),
        ("weight: 10", "weight: -1", "spec.rules[0].backendRefs[1].weight"),
        ("weight: 10", "weight: 1.5", "spec.rules[0].backendRefs[1].weight"),
        ("weight: 90", "weight: 10", None),
    ],
)
def test_weights_of_a_route(old: str, new: str, path: str | None) -> None:
    found = _read(ROUTE.replace(old, new))

    assert _paths("lb-gradual-rollout", found) == ([path] if path else [])


def test_a_canarys_share_is_bounded() -> None:
    assert _paths("lb-gradual-rollout", _read(ROUTE), maxCanary=5) == ["spec.rules[0].backendRefs"]


def test_a_route_to_several_replicas_keeps_sessions() -> None:
    found = [*resources(ON_NGINX), *_read(ROUTE)]
    sticky = ROUTE.replace(
        "  - backendRefs", "  - sessionPersistence: {type: Cookie}\n    backendRefs"
    )

    assert _paths("lb-session-affinity", found) == ["spec.rules[0].backendRefs[0].name"]
    assert _paths("lb-session-affinity", [*resources(ON_NGINX), *_read(sticky)]) == []
    assert _paths("references-resolve", found) == ["spec.rules[0].backendRefs[1].name"]
    assert _paths("references-resolve", found, external=["kato-*"]) == []


def _pod(**spec: Any) -> list[Resource]:
    context = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    return [
        resource(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "p"},
                "spec": {
                    "securityContext": {
                        "runAsNonRoot": True,
                        "seccompProfile": {"type": "RuntimeDefault"},
                        **spec.pop("context", {}),
                    },
                    "containers": [
                        {
                            "name": "c",
                            "securityContext": {**context, **spec.pop("own", {})},
                            **spec.pop("container", {}),
                        }
                    ],
                    **spec,
                },
            }
        )
    ]


@pytest.mark.parametrize(
    ("spec", "broken"),
    [
        ({}, None),
        ({"hostNetwork": True}, "spec.hostNetwork"),
        ({"own": {"privileged": True}}, "spec.containers[0].securityContext.privileged"),
        ({"own": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}, None),
        ({"own": {"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}},
         "spec.containers[0].securityContext.capabilities.add[0]"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "spec.volumes[0].hostPath"),
        ({"volumes": [{"name": "v", "nfs": {"server": "s"}}]}, "spec.volumes[0]"),
        ({"volumes": [{"name": "v"}]}, "spec.volumes[0]"),
        ({"volumes": [{"name": "v", "emptyDir": {}}]}, None),
        ({"container": {"ports": [{"containerPort": 1, "hostPort": 1}]}},
         "spec.containers[0].ports[0].hostPort"),
        ({"context": {"appArmorProfile": {"type": "Unconfined"}}},
         "spec.securityContext.appArmorProfile.type"),
        ({"context": {"seLinuxOptions": {"type": "spc_t"}}},
         "spec.securityContext.seLinuxOptions.type"),
        ({"context": {"seLinuxOptions": {"user": "u"}}},
         "spec.securityContext.seLinuxOptions.user"),
        ({"own": {"procMount": "Unmasked"}}, "spec.containers[0].securityContext.procMount"),
        ({"context": {"seccompProfile": {"type": "Unconfined"}}},
         "spec.securityContext.seccompProfile.type"),
        ({"context": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
         "spec.securityContext.sysctls[0].name"),
        ({"container": {"livenessProbe": {"httpGet": {"host": "x"}}}},
         "spec.containers[0].livenessProbe.httpGet.host"),
        ({"context": {"windowsOptions": {"hostProcess": True}}},
         "spec.securityContext.windowsOptions.hostProcess"),
        ({"own": {"allowPrivilegeEscalation": True}},
         "spec.containers[0].securityContext.allowPrivilegeEscalation"),
        ({"own": {"runAsNonRoot": False}}, "spec.containers[0].securityContext.runAsNonRoot"),
        ({"context": {"runAsUser": 0}}, "spec.securityContext.runAsUser"),
        ({"context": {"runAsUser": 0}, "hostUsers": False}, None),
    ],
)  # fmt: skip
def test_each_control_of_the_pod_security_standard(spec: Any, broken: str | None) -> None:
    found = _paths("pod-security-restricted", _pod(**spec))

    assert broken in found if broken else found == []


@pytest.mark.parametrize(
    ("spec", "version", "count"),
    [
        ({"context": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}}, "1.31", 1),
        ({"context": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}}, "1.32", 0),
        ({"container": {"livenessProbe": {"httpGet": {"host": "x"}}}}, "1.33", 0),
        ({"container": {"livenessProbe": {"httpGet": {"host": "x"}}}}, "1.34", 1),
        ({"context": {"seLinuxOptions": {"type": "container_engine_t"}}}, "1.30", 1),
        ({"context": {"seLinuxOptions": {"type": "container_engine_t"}}}, "1.31", 0),
        ({"context": {"runAsUser": 0}, "hostUsers": False}, "1.34", 1),
    ],
)
def test_answers_move_with_the_clusters_version(spec: Any, version: str, count: int) -> None:
    assert len(_paths("pod-security-restricted", _pod(**spec), version=version)) == count


def test_baseline_asks_for_less() -> None:
    [bare] = _pod(own={"allowPrivilegeEscalation": True})

    assert _paths("pod-security-restricted", [bare], level="baseline") == []


def test_nothing_in_a_message_is_a_credential() -> None:
    assert masked("redis://user:hunter-2@redis:6379") == "redis://…@redis:6379"
    assert "hunter" not in masked("Authorization: Bearer hunter-2")
    assert shown(3.0) == "3"
    assert shown(True) == "true"
    assert shown("a" * 100) == f"'{'a' * 59}…'"


def test_a_configuration_of_another_application_is_left_alone() -> None:
    text = ON_NGINX.replace("kato", "shop")
    [config_map] = [one for one in resources(text) if one.kind == "ConfigMap"]
    data = config_map.data["data"]["nginx.conf"].replace("consistent;", ";")
    other = replace(config_map, data={**config_map.data, "data": {"nginx.conf": data}})
    labels = {"kato-lb/workload": "kato"}
    declared = replace(
        other, data={**other.data, "metadata": {**other.data["metadata"], "labels": labels}}
    )

    assert _paths("lb-affinity-key-stable", [other]) == []
    assert _paths("lb-affinity-key-stable", [other], balancerPattern="shop")
    assert _paths("lb-affinity-key-stable", [declared])


def test_a_configuration_that_no_server_would_read_is_a_finding() -> None:
    found = resources(ON_NGINX)
    [config_map] = [one for one in found if one.kind == "ConfigMap"]
    broken = {"nginx.conf": "upstream kato { server kato-0:8000;"}
    changed = _changed(found, config_map.name, data={**config_map.data, "data": broken})

    assert 'data["nginx.conf"]' in _paths("edge-tls-and-config-safe", changed)
