"""The bridge: what it reads once, what it remembers, what it keeps apart."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from analyzer import Packs
from pulumi.runtime.proto import analyzer_pb2 as messages
from pulumi_policy import EnforcementLevel
from pulumi_policy import policy as sdk

from policies import pulumi_pack, shared_reading
from policies.examples.breaking import EXAMPLES
from policies.examples.reading import resources
from policies.examples.sound import ON_NGINX
from policies.rule import Pack
from policies.shared_reading import _asked_for


def test_a_message_is_read_once_whatever_the_number_of_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []

    def noted(message: Any) -> Any:
        read.append(message.urn)
        return shared_reading.properties(message)

    monkeypatch.setattr(pulumi_pack, "properties", noted)
    answers = vars(sdk._PolicyAnalyzerServicer)
    for name in ("Analyze", "AnalyzeStack", "Remediate", "_configure_runtime_settings"):
        monkeypatch.setattr(sdk._PolicyAnalyzerServicer, name, answers[name])
    run = pulumi_pack.Run()
    rules = pulumi_pack.policies(run, *Pack)
    shared_reading.install(rules, run)
    servicer = sdk._PolicyAnalyzerServicer("kato", "1", rules, EnforcementLevel.ADVISORY)
    stack = resources(ON_NGINX)
    whole = messages.AnalyzeStackRequest()
    for one in stack:
        asked = messages.AnalyzeRequest(type=one.type, urn=one.urn, name=one.name)
        asked.properties.update(one.data)
        assert not servicer.Analyze(asked, None).diagnostics
        whole.resources.add(type=one.type, urn=one.urn, name=one.name, properties=asked.properties)

    assert not servicer.AnalyzeStack(whole, None).diagnostics
    assert len(rules) > len(Pack)
    assert read == [one.urn for one in stack] * 2


def test_no_resource_is_read_for_a_remediation_that_is_not_asked_for() -> None:
    levels = {"one": EnforcementLevel.ADVISORY, "other": EnforcementLevel.DISABLED}
    servicer = SimpleNamespace(_get_enforcement_level=levels.__getitem__)
    read: list[Any] = []

    def remediate(*asked: Any) -> messages.RemediateResponse:
        read.append(asked)
        return messages.RemediateResponse(remediations=[messages.Remediation()])

    answer = _asked_for(remediate, ["one", "other"])  # type: ignore[list-item]

    assert not answer(servicer, None, None).remediations
    assert read == []
    levels["other"] = EnforcementLevel.REMEDIATE
    assert len(answer(servicer, None, None).remediations) == 1
    assert len(read) == 1


def test_the_next_analysis_of_the_same_resources_sees_what_has_changed(packs: Packs) -> None:
    """Same URNs, other properties, in one process: nothing of the last call is left."""
    sound = resources(ON_NGINX)
    broken = resources(EXAMPLES["replicas-min"][0].breaks)
    pack = packs.of[Pack.KUBERNETES]
    packs.configure({})

    assert pack.analyze_stack(sound) == []
    assert {one.policy for one in pack.analyze_stack(broken)} == {"replicas-min"}
    assert pack.analyze_stack(sound) == []
    assert pack.analyze(sound) == []
    assert {one.policy for one in pack.analyze_stack(broken)} == {"replicas-min"}


def test_resources_of_other_providers_are_passed_over(packs: Packs) -> None:
    bucket = replace(
        resources(ON_NGINX)[0], type="aws:s3/bucket:Bucket", data={"spec": {"privileged": True}}
    )

    assert packs.findings([bucket]) == []


def test_several_findings_of_a_rule_are_all_told_with_their_own_resource(packs: Packs) -> None:
    text = ON_NGINX.replace("unhealthyPodEvictionPolicy: AlwaysAllow", "minAvailable: 1")

    found = packs.findings(resources(text))

    assert {one.policy for one in found} == {"pdb-covers-workload"}
    assert len({one.urn for one in found}) == 2
    assert len(found) == 4
