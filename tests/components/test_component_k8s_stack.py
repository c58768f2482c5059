"""KatoK8sStack's objects, without a cluster: which there are, what they say, what is secret."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pulumi
import pytest
import yaml
from k8s_stacks import (
    COOKIE_EXPOSURES,
    EVERYTHING,
    EXPOSURES,
    SECRETS,
    VARIANTS,
    of_kind,
    stack,
    templates,
    with_provider,
)
from recording import Recording, run

from components import KatoK8sStack
from kato_balancing import kato

GOLDEN = Path(__file__).parent / "golden"
KUBERNETES = "1.36"
FRONT_KINDS = ("Service", "Ingress", "HTTPRoute")


def _plain(value: Any) -> Any:
    """Whole numbers as YAML writes them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _golden(name: str, objects: list[dict[str, Any]]) -> None:
    file = GOLDEN / f"{name}.yaml"
    text = yaml.safe_dump_all(
        _plain(sorted(objects, key=lambda o: (o["kind"], json.dumps(o["metadata"])))), width=100
    )
    if os.environ.get("KATO_REWRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize(
    "name",
    [
        "session-nginx-cluster-ip",
        "session-haproxy-cluster-ip",
        "client-ip",
        "cookie-ingress-traefik",
    ],
)
def test_manifests(name: str) -> None:
    _golden(name, stack(VARIANTS[name]).manifests())


def test_manifests_of_a_stack_with_every_part() -> None:
    _golden("everything", stack(EVERYTHING).manifests())


@pytest.mark.parametrize("name", VARIANTS)
def test_the_way_in(name: str) -> None:
    recording = stack(VARIANTS[name])
    front = [
        one
        for one in recording.manifests()
        if one["kind"] in FRONT_KINDS and one["metadata"].get("name") == "kato"
    ]

    _golden(f"front/{name}", front)


def test_what_is_not_a_variant_is_refused() -> None:
    tried = 0
    for affinity in ("CLIENT_IP", "COOKIE"):
        for way, exposure in {**EXPOSURES, **COOKIE_EXPOSURES}.items():
            arguments = {"rules": {"affinity": affinity}, "exposure": exposure}
            fits = {**arguments, "rules": {"affinity": affinity, "cookie": {"max_age": 3600.0}}}
            if fits in VARIANTS.values() or (affinity == "CLIENT_IP" and way == "cluster-ip"):
                continue
            with pytest.raises(pulumi.InputPropertiesError, match="exposure"):
                KatoK8sStack("kato", {"image": kato.IMAGE, **arguments})  # type: ignore[typeddict-item]
            tried += 1
    assert tried == 9


@pytest.mark.parametrize("name", [*VARIANTS, "everything"])
def test_every_object_fits_its_schema(name: str) -> None:
    recording = stack(VARIANTS.get(name, EVERYTHING))
    objects = [one for one in recording.manifests() if one["kind"] != "HTTPRoute"]

    assert objects
    for one in objects:
        kubernetes_validate.validate(_plain(one), KUBERNETES, strict=True)


@pytest.mark.parametrize("name", [*VARIANTS, "everything"])
def test_every_pod_is_restricted(name: str) -> None:
    for workload, template in templates(stack(VARIANTS.get(name, EVERYTHING))):
        spec = template["spec"]
        pod = spec["securityContext"]
        assert pod["runAsNonRoot"] is True, workload
        assert pod["runAsUser"] >= 10_000
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        for container in spec["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert own["readOnlyRootFilesystem"] is True
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", [*VARIANTS, "everything"])
def test_the_grace_period_covers_what_happens_in_it(name: str) -> None:
    checked = 0
    for workload, template in templates(stack(VARIANTS.get(name, EVERYTHING))):
        [container] = template["spec"]["containers"]
        grace = template["spec"]["terminationGracePeriodSeconds"]
        if container["name"] == "kato":
            pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
            assert grace >= pause + kato.GRACEFUL_SHUTDOWN_SECONDS + kato.FLUSH_SECONDS, workload
            readiness = container["readinessProbe"]
            assert readiness["periodSeconds"] * readiness["failureThreshold"] < pause
            checked += 1
    assert checked == 1


def test_no_secret_is_in_clear() -> None:
    recording = stack(EVERYTHING)
    hidden = 0
    for resource in recording.resources:
        text = json.dumps(resource.inputs)
        for secret in SECRETS:
            if secret in text:
                assert resource.inputs["kind"] == "Secret", f"{secret} is in {resource.name}"
                assert "stringData" in resource.secrets, f"{resource.name} is not marked"
                hidden += 1
    assert hidden >= 6


def test_secrets_and_configurations_are_immutable_and_named_by_pulumi() -> None:
    objects = [
        one for one in stack(EVERYTHING).manifests() if one["kind"] in ("ConfigMap", "Secret")
    ]

    assert len(objects) >= 6
    for one in objects:
        assert one["immutable"] is True
        assert "name" not in one["metadata"]


@pytest.mark.parametrize("name", [*VARIANTS, "everything"])
def test_an_explicit_provider_reaches_every_child(name: str) -> None:
    def program() -> None:
        arguments: Any = {"image": kato.IMAGE, **VARIANTS.get(name, EVERYTHING)}
        KatoK8sStack("kato", arguments, with_provider("elsewhere"))

    children = [one for one in run(program).resources if one.type.startswith("kubernetes:")]

    assert len(children) >= 10
    assert {"elsewhere" in child.provider for child in children} == {True}


def test_two_stacks_share_no_name() -> None:
    def program() -> None:
        for name in ("one", "two"):
            arguments: Any = {"image": kato.IMAGE, "namespace": "shared"}
            KatoK8sStack(name, arguments)

    objects = run(program).manifests()
    named = [(o["kind"], o["metadata"]["name"]) for o in objects if "name" in o["metadata"]]

    assert len(named) >= 20
    assert len(named) == len(set(named))


def test_a_stack_is_known_in_a_preview() -> None:
    def program() -> None:
        KatoK8sStack("kato", {"image": kato.IMAGE})

    recording = run(program, preview=True)

    assert [one for one in recording.manifests() if one["kind"] == "ConfigMap"]


def _selectors(recording: Recording) -> Iterator[tuple[str, dict[str, str]]]:
    for one in recording.manifests():
        spec = one.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector")
        if selector:
            yield (
                f"{one['kind']} {one['metadata'].get('name')}",
                selector.get("matchLabels", selector),
            )


@pytest.mark.parametrize("name", [*VARIANTS, "everything"])
def test_every_selector_finds_pods(name: str) -> None:
    recording = stack(VARIANTS.get(name, EVERYTHING))
    pods = [template["metadata"]["labels"] for _, template in templates(recording)]
    found = 0
    for what, selector in _selectors(recording):
        matching = [labels for labels in pods if selector.items() <= labels.items()]
        assert matching, f"{what} selects nothing"
        assert "team" not in selector
        found += 1
    assert found >= 8


def test_the_autoscaler_owns_the_number_of_replicas() -> None:
    recording = stack({"autoscaling": {}})
    [scaler] = of_kind(recording, "HorizontalPodAutoscaler")
    [workload] = [
        one for one in of_kind(recording, "StatefulSet") if one["metadata"]["name"] == "kato"
    ]

    assert "replicas" not in workload["spec"]
    assert scaler["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": "kato",
    }
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (3, 10)
    [metric] = scaler["spec"]["metrics"]
    assert metric["resource"]["target"]["averageUtilization"] == 70


def test_the_balancers_share_of_the_connections_counts_the_one_that_comes_at_an_update() -> None:
    text = next(iter(of_kind(stack({"balancer": {"replicas": 2}}), "ConfigMap")))["data"]
    # (500 - 1 - 8) // 3 balancers - 2 * (64 // 3) idle connections - 50 WebSockets
    assert "limit_conn kato_requests 71;" in text["nginx.conf"]


def test_a_stack_without_network_policies() -> None:
    kinds = {one["kind"] for one in stack({"network": {"policies": False}}).manifests()}

    assert "NetworkPolicy" not in kinds


def test_advice_is_given() -> None:
    without_password = stack().logs
    memory = stack({"autoscaling": {"memory_percent": 80}}).logs

    assert any("Redis has no password" in line for line in without_password)
    assert not any("memory_percent" in line for line in without_password)
    assert any("memory_percent adds replicas" in line for line in memory)


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        ({}, "http://kato.kato-0123456.svc.cluster.local"),
        ({"exposure": {"port": 8000}}, "http://kato.kato-0123456.svc.cluster.local:8000"),
        ({"namespace": "apps", "dns": {"domain": "corp"}}, "http://kato.apps.svc.corp"),
        ({"tls": EVERYTHING["tls"]}, "https://kato.kato-0123456.svc.cluster.local"),
        ({"exposure": EXPOSURES["ingress"]}, "https://kato.example.com"),
        ({"exposure": EXPOSURES["gateway"]}, "http://kato.example.com"),
    ],
)
def test_the_url_is_where_clients_reach_it(arguments: dict[str, Any], url: str) -> None:
    assert stack(arguments).outputs_of("kato")["url"] == url
