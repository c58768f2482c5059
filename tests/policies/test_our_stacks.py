"""Our own stacks pass; broken in one place they fail, by the rule for it and no other."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from analyzer import Packs
from our_stacks import STACKS, recorded, settings

from policies.catalogue import RULES
from policies.resources import Resource
from policies.rule import Level
from policies.settings import level

Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Mutation:
    """One thing that is broken in one resource of a stack."""

    rule: str
    kind: str
    name: str
    change: Change
    companions: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ("staging", "prod")
    proxy: str = "nginx"

    def apply(self, resources: Sequence[Resource]) -> list[Resource]:
        """The resources, one of them broken."""
        found: list[Resource] = []
        for one in resources:
            if one.type.endswith(f":{self.kind}") and one.name == self.name:
                data = copy.deepcopy(one.data)
                self.change(data)
                assert data != one.data, "the mutation changes nothing"
                found.append(replace(one, data=data, type=data.pop("type?", one.type)))
            else:
                found.append(one)
        assert found != list(resources), "no such resource"
        return found


def _set(*path: str | int, to: Any) -> Change:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key] if isinstance(key, int) else data.setdefault(key, {})
        data[path[-1]] = to

    return change


def _drop(*path: str | int) -> Change:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        del data[path[-1]]

    return change


def _pod(*path: str | int, to: Any) -> Change:
    return _set("spec", "template", "spec", *path, to=to)


def _no_pod(*path: str | int) -> Change:
    return _drop("spec", "template", "spec", *path)


def _text(old: str, new: str) -> Change:
    """In the balancer's configuration, wherever it stands."""

    def change(data: Any) -> None:
        if "uploads" in data:
            holder, key = data["uploads"][0], "content"
        else:
            holder = data["data"]
            [key] = [name for name, text in holder.items() if old in text][:1]
        assert old in holder[key]
        holder[key] = holder[key].replace(old, new)

    return change


def _variable(name: str, value: str) -> Change:
    def change(data: Any) -> None:
        [entry] = [
            one
            for one in data["spec"]["template"]["spec"]["containers"][0]["env"]
            if one["name"] == name
        ]
        entry["value"] = value

    return change


def _env(old: str, new: str) -> Change:
    def change(data: Any) -> None:
        data["envs"] = [entry.replace(old, new) for entry in data["envs"]]

    return change


_C = ("containers", 0)
_HASH = "hash $kato_session consistent;"
_ON_DOCKER = {"stacks": ("dev",)}
_CONFIGURATION = ("ConfigMap", "kato-balancer")
_KATO = ("StatefulSet", "kato")
_BALANCER = ("Deployment", "kato-balancer")

MUTATIONS = (
    Mutation("lb-session-affinity", *_CONFIGURATION, _text(_HASH, "least_conn;")),
    Mutation("lb-session-affinity", "Container", "balancer-configuration",
             _text(_HASH, "least_conn;"), **_ON_DOCKER),
    Mutation("lb-affinity-key-stable", *_CONFIGURATION,
             _text(_HASH, "hash $request_uri consistent;")),
    Mutation("lb-affinity-key-stable", *_CONFIGURATION,
             _text("map $uri $kato_session_path", "map $request_uri $kato_session_path")),
    Mutation("lb-affinity-not-collapsed", "Service", "kato-replicas",
             _set("spec", "sessionAffinity", to="ClientIP")),
    Mutation("lb-affinity-ttl", "Service", "kato-replicas",
             lambda data: data["spec"].update(
                 sessionAffinity="ClientIP",
                 sessionAffinityConfig={"clientIP": {"timeoutSeconds": 600}}),
             ("lb-affinity-not-collapsed",)),
    Mutation("lb-affinity-cookie-flags", *_CONFIGURATION, _text(_HASH, "sticky cookie route;")),
    Mutation("lb-single-writer", *_KATO, _variable("KATO_WORKERS", "4")),
    Mutation("lb-single-writer", "Container", "kato-1", _env("KATO_WORKERS=1", "KATO_WORKERS=2"),
             **_ON_DOCKER),
    Mutation("lb-health-active-and-passive", *_KATO,
             _pod(*_C, "readinessProbe", "httpGet", "path", to="/ready")),
    Mutation("lb-health-active-and-passive", "Container", "kato-1", _drop("healthcheck"),
             **_ON_DOCKER),
    Mutation("lb-health-active-and-passive", *_CONFIGURATION,
             _text("meth GET uri /health", "meth HEAD uri /health"), proxy="haproxy"),
    Mutation("lb-health-expectation", *_CONFIGURATION,
             _text("http-check expect status 200", 'http-check expect string "healthy"'),
             proxy="haproxy"),
    Mutation("lb-zone-shared", *_CONFIGURATION, _text("zone kato 1m;", "zone kato 32k;")),
    Mutation("lb-gradual-rollout", *_KATO, _set("spec", "updateStrategy", "type", to="OnDelete"),
             ("rollout-safe",)),
    Mutation("lb-monitoring", *_CONFIGURATION, _text("stub_status;", "return 204;")),
    Mutation("lb-timeouts-coherent", *_CONFIGURATION,
             _text("proxy_connect_timeout 1s;", "proxy_connect_timeout 20s;")),
    Mutation("lb-timeouts-coherent", *_KATO, _pod(*_C, "livenessProbe", "failureThreshold", to=1)),
    Mutation("lb-upstream-keepalive", *_CONFIGURATION,
             _text("keepalive_timeout 4s;", "keepalive_timeout 60s;")),
    Mutation("lb-backup-capacity", "Container", "balancer-configuration",
             _text("server kato-1:8000", "server kato-0:8000"), **_ON_DOCKER),
    Mutation("lb-circuit-breaker", *_CONFIGURATION,
             _text("proxy_next_upstream_tries 3;", "proxy_next_upstream_tries 9;")),
    Mutation("lb-no-nonidempotent-retry", *_CONFIGURATION,
             _text("proxy_next_upstream error timeout;",
                   "proxy_next_upstream error timeout non_idempotent;")),
    Mutation("lb-graceful-shutdown", *_KATO, _pod("terminationGracePeriodSeconds", to=30)),
    Mutation("lb-graceful-shutdown", *_KATO, _no_pod(*_C, "lifecycle")),
    Mutation("lb-graceful-shutdown", "Container", "kato-1", _set("stopTimeout", to=10),
             **_ON_DOCKER),
    Mutation("lb-graceful-shutdown", "Container", "balancer", _set("stopSignal", to="SIGTERM"),
             **_ON_DOCKER),
    Mutation("probes-distinct-and-complete", *_BALANCER, _no_pod(*_C, "livenessProbe")),
    Mutation("replicas-min", *_BALANCER, _set("spec", "replicas", to=1)),
    Mutation("hpa-target-valid", *_KATO, _set("spec", "replicas", to=3), stacks=("prod",)),
    Mutation("hpa-target-valid", "HorizontalPodAutoscaler", "kato",
             _set("spec", "maxReplicas", to=3), stacks=("prod",)),
    Mutation("hpa-metrics-have-requests", *_KATO,
             lambda data: [
                 data["spec"]["template"]["spec"]["containers"][0]["resources"][part].pop("cpu", 0)
                 for part in ("requests", "limits")],
             ("resources-set",), stacks=("prod",)),
    Mutation("pdb-covers-workload", "PodDisruptionBudget", "kato",
             _set("spec", "selector", "matchLabels", to={"app": "another"})),
    Mutation("spread-or-antiaffinity", *_KATO, _pod("topologySpreadConstraints", to=[])),
    Mutation("resources-set", *_BALANCER, _no_pod(*_C, "resources", "limits")),
    Mutation("rollout-safe", *_BALANCER,
             _set("spec", "strategy", "rollingUpdate", "maxUnavailable", to=1)),
    Mutation("service-selects-pods", "Service", "kato-redis",
             _set("spec", "selector", to={"app": "radis"})),
    Mutation("references-resolve", *_KATO, _pod("serviceAccountName", to="nobody")),
    Mutation("api-versions-current", "PodDisruptionBudget", "kato",
             _set("type?", to="kubernetes:policy/v1beta1:PodDisruptionBudget")),
    Mutation("retired-ingress-controller", "Ingress", "kato",
             _set("spec", "ingressClassName", to="nginx"), stacks=("prod",)),
    Mutation("pod-security-restricted", *_KATO,
             _pod(*_C, "securityContext", "allowPrivilegeEscalation", to=True)),
    Mutation("container-hardening", *_KATO,
             _pod(*_C, "securityContext", "readOnlyRootFilesystem", to=False)),
    Mutation("container-hardening", "Container", "kato-1", _set("privileged", to=True),
             **_ON_DOCKER),
    Mutation("image-pinned", *_KATO, _pod(*_C, "image", to="ghcr.io/sevakavakians/kato:latest")),
    Mutation("image-pinned", "Container", "kato-1", _set("image", to="acme:5000/kato"),
             **_ON_DOCKER),
    Mutation("network-isolated", "NetworkPolicy", "kato-kato",
             _set("spec", "ingress", to=[{"from": []}])),
    Mutation("network-isolated", "Container", "kato-1", _set("networksAdvanced", to=[]),
             **_ON_DOCKER),
    Mutation("edge-tls-and-config-safe", *_CONFIGURATION,
             _text("server_tokens off;", "server_tokens on;")),
    Mutation("edge-tls-and-config-safe", "Ingress", "kato", _drop("spec", "tls"),
             stacks=("prod",)),
)  # fmt: skip
CASES = [
    pytest.param(mutation, stack, id=f"{number}-{mutation.rule}-{stack}")
    for number, mutation in enumerate(MUTATIONS)
    for stack in mutation.stacks
]


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
@pytest.mark.parametrize("stack", STACKS)
def test_our_stack_passes_in_silence(packs: Packs, stack: str, proxy: str) -> None:
    assert packs.findings(recorded(stack, proxy), settings(stack)) == []


@pytest.mark.parametrize(("mutation", "stack"), CASES)
def test_one_broken_thing_fails_by_its_rule_and_no_other(
    packs: Packs, mutation: Mutation, stack: str
) -> None:
    resources = mutation.apply(recorded(stack, mutation.proxy))

    found = packs.findings(resources, settings(stack))

    assert {one.policy for one in found} == {mutation.rule, *mutation.companions}
    wanted = level(settings(stack), {one.id: one for one in RULES}[mutation.rule])
    assert {one.level for one in found if one.policy == mutation.rule} == {wanted}


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_comment_in_the_file_does_not_excuse_lost_updates(
    packs: Packs, stack: str, proxy: str
) -> None:
    resources = recorded(stack, proxy, affinity="NONE")

    found = packs.findings(resources, settings(stack))

    assert {(one.policy, one.level) for one in found} == {("lb-session-affinity", "mandatory")}
    assert packs.findings(resources, {**settings(stack), "lb-session-affinity": "disabled"}) == []


def test_every_mandatory_rule_fires_on_our_stacks_when_they_are_broken() -> None:
    mandatory = {one.id for one in RULES if one.level is Level.MANDATORY}

    assert mandatory <= {mutation.rule for mutation in MUTATIONS}
    assert {one.id for one in RULES} == {mutation.rule for mutation in MUTATIONS}
