"""Remediation: opt-in, scalars in place, secrets and unknown values left alone."""

import copy
from typing import Any

import pytest
from analyzer import UNKNOWN_STRING, Packs

from policies.catalogue import RULES
from policies.examples.breaking import EXAMPLES
from policies.examples.reading import resources
from policies.examples.sound import ON_NGINX
from policies.rule import Pack

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "value": "hunter-2"}
REMEDIES = {
    "lb-session-affinity-remedy": "remediate",
    "lb-affinity-ttl-remedy": "remediate",
    "lb-timeouts-coherent-remedy": "remediate",
    "lb-graceful-shutdown-remedy": "remediate",
    "pdb-covers-workload-remedy": "remediate",
    "rollout-safe": "remediate",
    "pod-security-restricted": "remediate",
    "container-hardening": "remediate",
}
SERVICE = "kubernetes:core/v1:Service"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"


def _pod(**spec: Any) -> dict[str, Any]:
    container = {
        "name": "kato",
        "image": "ghcr.io/sevakavakians/kato:6.3.0",
        "env": [{"name": "REDIS_URL", "value": SECRET}, {"name": "A", "value": UNKNOWN_STRING}],
        "livenessProbe": {"timeoutSeconds": 10, "periodSeconds": 10},
        "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    return {"spec": {"template": {"spec": {"containers": [container], **spec}}}}


def _mended(packs: Packs, pack: Pack, type_: str, data: dict[str, Any]) -> dict[str, Any]:
    packs.configure(REMEDIES)
    return packs.of[pack].remediate(type_, data)


def test_every_remedy_can_be_asked_for(packs: Packs) -> None:
    offered = {rule.id + ("-remedy" if rule.stack else "") for rule in RULES if rule.remedy}
    served = {policy.name for one in packs.of.values() for policy in one.info.policies}

    assert offered == set(REMEDIES)
    assert offered <= served


def test_nothing_is_mended_unless_asked_for(packs: Packs) -> None:
    packs.configure({})

    for analyzer in packs.of.values():
        assert analyzer.remediate(STATEFUL_SET, _pod()) == _pod()


def test_a_sound_stack_is_left_as_it_is(packs: Packs) -> None:
    for one in resources(ON_NGINX):
        for pack in Pack:
            assert _mended(packs, pack, one.type, one.data) == one.data


def test_the_grace_period_and_the_probe_are_mended(packs: Packs) -> None:
    mended = _mended(packs, Pack.LOAD_BALANCING, STATEFUL_SET, _pod())

    wanted = _pod(terminationGracePeriodSeconds=45)
    wanted["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["timeoutSeconds"] = 9
    assert mended == wanted


def test_the_security_context_is_mended(packs: Packs) -> None:
    mended = _mended(packs, Pack.SECURITY, STATEFUL_SET, _pod())

    spec = mended["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert (
        spec["containers"][0]["env"] == _pod()["spec"]["template"]["spec"]["containers"][0]["env"]
    )


@pytest.mark.parametrize(
    ("path", "pack"),
    [
        (("spec", "template", "spec", "terminationGracePeriodSeconds"), Pack.LOAD_BALANCING),
        (("spec", "template", "spec", "automountServiceAccountToken"), Pack.SECURITY),
        (("spec", "template", "spec", "containers", 0, "securityContext"), Pack.SECURITY),
        (("spec", "template", "spec", "containers", 0, "lifecycle"), Pack.LOAD_BALANCING),
        (("spec", "template", "spec"), Pack.SECURITY),
        (("spec",), Pack.LOAD_BALANCING),
    ],
)
def test_an_unknown_value_stays_unknown(
    packs: Packs, path: tuple[str | int, ...], pack: Pack
) -> None:
    data = copy.deepcopy(_pod())
    here: Any = data
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = UNKNOWN_STRING

    mended: Any = _mended(packs, pack, STATEFUL_SET, data)

    for key in path:
        mended = mended[key]
    assert mended == UNKNOWN_STRING


def test_a_public_service_of_kato_gets_client_affinity_and_another_does_not(packs: Packs) -> None:
    def service(**spec: Any) -> dict[str, Any]:
        return {"spec": {"type": "LoadBalancer", "selector": {"app": "kato"}, **spec}}

    def mended(data: dict[str, Any]) -> dict[str, Any]:
        return _mended(packs, Pack.LOAD_BALANCING, SERVICE, data)

    assert mended(service())["spec"]["sessionAffinity"] == "ClientIP"
    for other in (
        service(selector={"app": "shop"}),
        service(type="ClusterIP"),
        service(clusterIP="None"),
        service(sessionAffinity=UNKNOWN_STRING),
    ):
        assert mended(other) == other
    affine = service(
        sessionAffinity="ClientIP",
        sessionAffinityConfig={"clientIP": {"timeoutSeconds": 60}},
    )
    assert mended(affine)["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] == 3600


def test_an_update_keeps_all_replicas_and_a_budget_lets_sick_pods_go(packs: Packs) -> None:
    deployment = {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}}}
    mended = _mended(packs, Pack.KUBERNETES, "kubernetes:apps/v1:Deployment", deployment)
    assert mended["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0

    stuck = {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}}
    assert _mended(packs, Pack.KUBERNETES, "kubernetes:apps/v1:Deployment", stuck) == stuck

    budget = {"spec": {"maxUnavailable": 1}}
    mended = _mended(packs, Pack.KUBERNETES, "kubernetes:policy/v1:PodDisruptionBudget", budget)
    assert mended["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_what_a_remedy_mends_no_longer_breaks_its_rule(packs: Packs) -> None:
    for rule_id in ("container-hardening", "rollout-safe", "pod-security-restricted"):
        mended = 0
        for example in EXAMPLES[rule_id]:
            found = resources(example.breaks)
            for one in found:
                packs.configure(REMEDIES)
                for pack in Pack:
                    object.__setattr__(one, "data", packs.of[pack].remediate(one.type, one.data))
            mended += packs.findings(found) == []
        assert mended
