"""GeoDns on Docker and on Kubernetes: what is declared, and what is refused before."""

import json
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
from described import fields
from pulumi.provider.experimental.component import ComponentProvider
from recording import Recording, attempt, run

from components import GeoDns, GeoDnsOnKubernetes, geo_dns_args, geo_dns_on_kubernetes
from kato_balancing.geodns import model, powerdns

DNS: dict[str, Any] = {
    "zone": "kato.example.com",
    "name_servers": ["ns1.example.net"],
    "regions": [
        {
            "name": name,
            "addresses": [f"192.0.2.{index}"],
            "location": {"latitude": latitude, "longitude": 8.0},
            "health_url": "https://kato.example.com/sessions/lb-probe/exists",
        }
        for index, (name, latitude) in enumerate({"eu": 50.0, "us": 39.0}.items(), 1)
    ],
    "backup": {"region": "us"},
}
GROUPS: dict[str, type[Any]] = {
    "LocationSettings": model.Location,
    "DnsRegion": model.Region,
    "ClientNetworkSettings": model.ClientNetwork,
    "CheckSettings": model.Checks,
    "BackupSettings": model.Backup,
}


def on_docker(**more: Any) -> Recording:
    return run(lambda: GeoDns("dns", {**DNS, **more}))  # type: ignore[typeddict-item]


def on_kubernetes(**more: Any) -> Recording:
    args: Any = {"namespace": "dns", **DNS, **more}
    return run(lambda: GeoDnsOnKubernetes("kato-dns", args))


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_of_inputs_is_the_models(group: str) -> None:
    required = getattr(geo_dns_args, group).__required_keys__

    assert set(fields(geo_dns_args, group)) == set(GROUPS[group].model_fields)
    assert required == {n for n, f in GROUPS[group].model_fields.items() if f.is_required()}


def test_both_components_take_every_input_of_the_model() -> None:
    for module, args in (
        (geo_dns_args, "GeoDnsArgs"),
        (geo_dns_on_kubernetes, "GeoDnsOnKubernetesArgs"),
    ):
        found = fields(module, args)
        assert set(model.GeoDns.model_fields) <= set(found)
        assert f"Defaults to {model.GeoDns.model_fields['ttl'].default}" in found["ttl"]
        assert f"Defaults to {geo_dns_args.IMAGE}" in found["image"]


def test_the_schema_describes_every_input() -> None:
    schema = json.loads(ComponentProvider([GeoDns, GeoDnsOnKubernetes], "kato").schema or "")

    silent = [
        f"{token}.{name}"
        for token, described in [
            *((token, one["inputProperties"]) for token, one in schema["resources"].items()),
            *((token, one["properties"]) for token, one in schema["types"].items()),
        ]
        for name, text in described.items()
        if not text.get("description")
    ]
    assert silent == []


def test_it_is_published_on_this_machine_by_both_protocols_and_unprivileged() -> None:
    recording = on_docker()
    inputs = recording.one("dns").inputs

    assert inputs["ports"] == [
        {"internal": powerdns.PORT, "external": 5300, "ip": "127.0.0.1", "protocol": protocol}
        for protocol in ("tcp", "udp")
    ]
    assert inputs["user"] == "10001:10001"
    assert inputs["readOnly"] is True
    assert inputs["capabilities"] == {"drops": ["ALL"]}
    assert powerdns.CHECKED in inputs["healthcheck"]["tests"][1]
    assert recording.outputs_of("dns") == {"address": "127.0.0.1:5300", "name": DNS["zone"]}


def test_a_drain_leaves_the_container_alone_and_another_setting_does_not() -> None:
    one, drained, slower = (
        on_docker(),
        on_docker(draining=["eu"]),
        on_docker(checks={"interval": 2}),
    )

    assert one.uploaded("zone") != drained.uploaded("zone")
    assert one.one("dns").inputs == drained.one("dns").inputs
    assert one.one("dns").inputs != slower.one("dns").inputs


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"zone": "x"}, "zone"),
        ({"draining": ["mars"]}, "draining[0]"),
        ({"publish": {"port": 0}}, "publish.port"),
        ({"image": "a b"}, "image"),
        ({"nets": []}, "nets"),
    ],
)
def test_what_is_refused(
    refusal_of: Callable[..., list[tuple[str, str]]], changed: dict[str, Any], path: str
) -> None:
    program: Any = {**DNS, **changed}

    assert [found for found, _ in refusal_of(lambda: GeoDns("dns", program))] == [path]


def test_the_objects_on_kubernetes() -> None:
    found = {one["kind"]: one for one in on_kubernetes().manifests()}

    kinds = {"ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"}
    assert set(found) == kinds
    assert found["Deployment"]["spec"]["replicas"] == 2
    ports = found["Service"]["spec"]["ports"]
    assert [(one["port"], one["protocol"]) for one in ports] == [(53, "UDP"), (53, "TCP")]
    for one in found.values():
        kubernetes_validate.validate(json.loads(json.dumps(one)), "1.36", strict=True)


def policies(**more: Any) -> dict[str, dict[str, Any]]:
    """Name → spec of the network policies."""
    return {
        one["metadata"]["name"]: one["spec"]
        for one in on_kubernetes(**more).manifests()
        if one["kind"] == "NetworkPolicy"
    }


def open_ports(rule: dict[str, Any]) -> set[tuple[int, str]]:
    return {(port["port"], port["protocol"]) for port in rule["ports"]}


def test_questions_come_in_checks_go_out_and_nothing_else() -> None:
    url = "http://kato.example.com:8080/sessions/lb-probe/exists"
    regions = [DNS["regions"][0], {**DNS["regions"][1], "health_url": url}]
    found = policies(regions=regions)

    [pods] = [
        one["spec"]["template"]["metadata"]["labels"]
        for one in on_kubernetes().manifests()
        if one["kind"] == "Deployment"
    ]
    assert set(found) == {"kato-dns-default-deny", "kato-dns-geo-dns"}
    for spec in found.values():
        assert spec["podSelector"]["matchLabels"].items() <= pods.items()
        assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(found["kato-dns-default-deny"])
    [questions] = found["kato-dns-geo-dns"]["ingress"]
    assert "from" not in questions
    assert open_ports(questions) == {(powerdns.PORT, "UDP"), (powerdns.PORT, "TCP")}
    everywhere, own = found["kato-dns-geo-dns"]["egress"]
    assert "to" not in everywhere
    assert open_ports(everywhere) == {(443, "TCP"), (8080, "TCP")}
    assert "ports" not in own
    [peer] = own["to"]
    assert peer["namespaceSelector"] == {}
    assert peer["podSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "kato",
        "app.kubernetes.io/component": "balancer",
    }


def test_checks_may_reach_more_ports_when_asked() -> None:
    everywhere, _ = policies(network={"region_ports": [8443]})["kato-dns-geo-dns"]["egress"]

    assert open_ports(everywhere) == {(443, "TCP"), (8443, "TCP")}


def test_policies_can_be_left_out() -> None:
    assert policies(network={"policies": False}) == {}


@pytest.mark.parametrize(
    ("service", "kind", "annotations"),
    [
        ({}, "LoadBalancer", None),
        ({"annotations": {"a.example.com/b": "c"}}, "LoadBalancer", {"a.example.com/b": "c"}),
        ({"kind": "CLUSTER_IP"}, "ClusterIP", None),
    ],
)
def test_resolvers_reach_the_servers_by_a_service(
    service: dict[str, Any], kind: str, annotations: dict[str, str] | None
) -> None:
    [found] = [
        one for one in on_kubernetes(service=service).manifests() if one["kind"] == "Service"
    ]

    assert found["spec"]["type"] == kind
    assert ("externalTrafficPolicy" in found["spec"]) == (kind == "LoadBalancer")
    assert found["metadata"].get("annotations") == annotations


@pytest.mark.parametrize(
    ("kind", "answered", "addresses"),
    [
        (
            "LOAD_BALANCER",
            {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.53"}, {"hostname": "lb.x"}]}}},
            ["192.0.2.53", "lb.x"],
        ),
        ("CLUSTER_IP", {"spec": {"clusterIP": "10.0.0.53"}}, ["10.0.0.53"]),
    ],
)
def test_it_says_where_the_servers_are_asked(
    kind: str, answered: dict[str, Any], addresses: list[str]
) -> None:
    args: Any = {"namespace": "dns", **DNS, "service": {"kind": kind}}
    recording = Recording(preview=False, answers={"kato-dns": answered})
    attempt(lambda: GeoDnsOnKubernetes("kato-dns", args), recording)

    assert recording.outputs_of("kato-dns") == {"name": DNS["zone"], "addresses": addresses}


def test_a_pod_is_ready_once_every_region_was_checked() -> None:
    [workload] = [one for one in on_kubernetes().manifests() if one["kind"] == "Deployment"]
    [container] = workload["spec"]["template"]["spec"]["containers"]

    assert powerdns.CHECKED in container["readinessProbe"]["exec"]["command"][2]
    assert powerdns.CHECKED not in container["livenessProbe"]["exec"]["command"][2]


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"answered_by": "EXTERNAL_DNS"}, "DNSEndpoint"),
        ({"answered_by": "K8GB", "ingress": "kato"}, "Gslb"),
    ],
)
def test_others_answer_by_one_object(more: dict[str, Any], kind: str) -> None:
    recording = on_kubernetes(**more)
    [found] = recording.manifests()
    assert recording.outputs_of("kato-dns")["addresses"] == []

    assert (found["kind"], found["metadata"]["namespace"]) == (kind, "dns")
    assert found["spec"]


@pytest.mark.parametrize("more", [{"ingress": "kato"}, {"answered_by": "K8GB"}])
def test_an_ingress_is_for_k8gb_alone(
    refusal_of: Callable[..., list[tuple[str, str]]], more: dict[str, Any]
) -> None:
    args: Any = {"namespace": "dns", **DNS, **more}

    refusals = refusal_of(lambda: GeoDnsOnKubernetes("kato-dns", args))
    assert [path for path, _ in refusals] == ["ingress"]


@pytest.mark.parametrize("name", ["image", "replicas", "service", "network"])
def test_what_servers_need_is_refused_where_others_answer(
    refusal_of: Callable[..., list[tuple[str, str]]], name: str
) -> None:
    given = {"image": "a:1", "replicas": 3, "service": {}, "network": {"policies": False}}
    args: Any = {"namespace": "dns", **DNS, "answered_by": "EXTERNAL_DNS", name: given[name]}

    [(path, reason)] = refusal_of(lambda: GeoDnsOnKubernetes("kato-dns", args))
    assert path == name
    assert reason.endswith("remove it")


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"service": {"kind": "INGRESS"}}, "service.kind"),
        ({"network": {"region_ports": [0]}}, "network.region_ports[0]"),
    ],
)
def test_a_wrong_service_or_port_is_named(
    refusal_of: Callable[..., list[tuple[str, str]]], more: dict[str, Any], path: str
) -> None:
    args: Any = {"namespace": "dns", **DNS, **more}

    refusals = refusal_of(lambda: GeoDnsOnKubernetes("kato-dns", args))
    assert [found for found, _ in refusals] == [path]


def test_a_name_that_no_object_can_have_is_refused(
    refusal_of: Callable[..., list[tuple[str, str]]],
) -> None:
    args: Any = {"namespace": "dns", **DNS}

    [(_, reason)] = refusal_of(lambda: GeoDnsOnKubernetes("Kato_DNS", args))
    assert "lower-case letters" in reason


def test_one_replica_is_too_few(refusal_of: Callable[..., list[tuple[str, str]]]) -> None:
    args: Any = {"namespace": "dns", **DNS, "replicas": 1}

    refusals = refusal_of(lambda: GeoDnsOnKubernetes("kato-dns", args))
    assert [path for path, _ in refusals] == ["replicas"]
