"""Every rule by its examples, through the processes that the engine would start."""

import pytest
from analyzer import Diagnostic, Packs

from policies.catalogue import EVERYWHERE, RULES, rule
from policies.examples.breaking import EXAMPLES, Example
from policies.examples.reading import resources
from policies.examples.sound import ON_DOCKER, ON_HAPROXY, ON_NGINX
from policies.resources import Resource


def _pairs() -> list[tuple[str, Example]]:
    return [(rule_id, example) for rule_id, found in EXAMPLES.items() for example in found]


CASES = [
    pytest.param(rule_id, example, id=f"{number}-{rule_id}")
    for number, (rule_id, example) in enumerate(_pairs())
]


@pytest.mark.parametrize(
    "text", [ON_NGINX, ON_HAPROXY, ON_DOCKER], ids=["nginx", "haproxy", "docker"]
)
def test_a_sound_stack_is_passed_over_in_silence(packs: Packs, text: str) -> None:
    assert packs.findings(resources(text)) == []


@pytest.mark.parametrize(("rule_id", "example"), CASES)
def test_an_example_breaks_its_rule_and_no_other_and_the_message_tells_all(
    packs: Packs, rule_id: str, example: Example
) -> None:
    listed = resources(example.breaks)
    broken = packs.findings(listed)

    assert {one.policy for one in broken} == {rule_id, *example.companions}
    assert {one.level for one in broken if one.policy == rule_id} == {rule(rule_id).level}
    for one in broken:
        _tells_all(one, listed)


@pytest.mark.parametrize("text", dict.fromkeys(one.holds for _, one in _pairs()), ids=lambda _: "")
def test_the_mended_example_holds(packs: Packs, text: str) -> None:
    assert packs.findings(resources(text)) == []


def _tells_all(one: Diagnostic, listed: list[Resource]) -> None:
    """What, where, what was seen, which rule, how to mend it; and no secret."""
    names = {resource.urn: resource.name for resource in listed}
    first, cure = one.message.split("\n")[1:]
    resource, _, rest = first.partition(": ")
    path, _, seen = rest.partition(" ")
    assert resource == names[one.urn]
    assert path.split("[")[0].split(".")[0] in _properties(listed, one.urn)
    assert seen.removesuffix(f"[{one.policy}]") != seen
    assert len(cure.removeprefix("Cure: ")) > 10
    assert "hunter-2" not in one.message


def _properties(listed: list[Resource], urn: str) -> set[str]:
    [resource] = [one for one in listed if one.urn == urn]
    known = {"stopSignal", "networksAdvanced", "ports", "privileged", "apiVersion"}
    return {*resource.data, *known}


def test_every_rule_has_examples_and_is_in_one_pack(packs: Packs) -> None:
    served = [
        policy.name
        for analyzer in packs.of.values()
        for policy in analyzer.info.policies
        if not policy.name.endswith("-remedy")
    ]

    assert len(RULES) == 34
    assert set(EXAMPLES) == {one.id for one in RULES}
    everywhere = [one.id for one in EVERYWHERE] * len(packs.of)
    assert sorted(served) == sorted([one.id for one in RULES] + everywhere)


def test_a_policy_tells_what_it_is_about(packs: Packs) -> None:
    for analyzer in packs.of.values():
        for policy in analyzer.info.policies:
            assert policy.description
            assert policy.remediation_steps
            assert policy.framework.name == "KATO load balancing guide"
            assert policy.severity
            assert "kato" in policy.tags
