"""Levels and knobs: the environments' files, and clear errors."""

from typing import Any

import pytest
from analyzer import Packs

from policies.catalogue import ALL, RULES, rule
from policies.examples.breaking import EXAMPLES
from policies.examples.reading import resource, resources
from policies.examples.sound import ON_NGINX
from policies.resources import Resource
from policies.rule import Knobs
from policies.settings import FOLDER, problems, read


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_an_environments_file_names_rules_levels_and_knobs_that_exist(file: Any) -> None:
    assert problems(read(file), ALL) == []


def test_there_is_a_file_for_each_environment() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == {"dev", "staging", "prod"}


@pytest.mark.parametrize(
    ("rule_id", "value", "problem"),
    [
        ("replicas-mni", "advisory", "replicas-mni is no rule; did you mean replicas-min?"),
        ("replicas-min", "loud", "enforcementLevel must be one of advisory, mandatory"),
        ("replicas-min", {"kato": 3}, "enforcementLevel must be one of advisory, mandatory"),
    ],
)
def test_a_bad_rule_or_level_is_named(rule_id: str, value: Any, problem: str) -> None:
    [found] = problems({rule_id: value}, ALL)

    assert problem in found


@pytest.mark.parametrize(
    ("rule_id", "knobs", "problem"),
    [
        ("replicas-min", {"katoo": 3}, "has no setting katoo; did you mean kato?"),
        ("replicas-min", {"kato": "3"}, "replicas-min.kato must be of type number"),
        ("replicas-min", {"kato": True}, "replicas-min.kato must be of type number"),
        ("replicas-min", {"kato": 0}, "replicas-min.kato must be at least 1"),
        ("resources-set", {"cpuLimit": "no"}, "must be one of optional, required, forbidden"),
        ("api-versions-current", {"k8sVersion": "new"}, "k8sVersion must look like 1.36"),
        ("lb-zone-shared", {"minSize": "big"}, "minSize must look like 64k"),
        ("lb-zone-shared", {"balancerPattern": "["}, "is not a regular expression"),
        ("image-pinned", {"registries": [1]}, "registries must be a list of texts"),
    ],
)
def test_a_bad_knob_is_named_with_its_rule(rule_id: str, knobs: Any, problem: str) -> None:
    [found] = problems({rule_id: {"enforcementLevel": "advisory", **knobs}}, ALL)

    assert problem in found


def test_a_knob_that_does_not_exist_is_reported_by_the_pack(packs: Packs) -> None:
    settings = {"resources-set": {"enforcementLevel": "mandatory", "cpuLimt": "required"}}

    found = packs.findings(resources(ON_NGINX), settings)

    assert {one.policy for one in found} == {"resources-set"}
    assert "did you mean cpuLimit?" in found[0].message


@pytest.mark.parametrize("level", ["advisory", "mandatory", "disabled", "remediate"])
@pytest.mark.parametrize("rule_id", ["resources-set", "hpa-target-valid"])
def test_a_rule_has_the_level_that_is_set(packs: Packs, rule_id: str, level: str) -> None:
    example = EXAMPLES[rule_id][-1]

    found = packs.findings(resources(example.breaks), {rule_id: level})

    shown = {one.level for one in found if one.policy == rule_id}
    wanted = {"disabled": set(), "remediate": {"mandatory"}}
    assert shown == wanted.get(level, {level})


def test_every_knob_has_a_default_that_its_schema_takes() -> None:
    for one in RULES:
        for knob in one.knobs:
            assert knob.refuses(knob.default) == "", (one.id, knob.name)
            assert knob.text


def _declared(labels: dict[str, str]) -> list[Resource]:
    """A workload with an image of another name, on one process for each of four workers."""
    return [
        resource(
            {
                "apiVersion": "apps/v1",
                "kind": "StatefulSet",
                "metadata": {"name": "inference"},
                "spec": {
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {
                            "containers": [
                                {
                                    "image": "acme/inference:1.0",
                                    "env": [{"name": "KATO_WORKERS", "value": "4"}],
                                }
                            ]
                        },
                    }
                },
            }
        )
    ]


def _breaks_single_writer(labels: dict[str, str], settings: dict[str, Any]) -> bool:
    one = rule("lb-single-writer")
    return bool([*one.hits(_declared(labels)[0], Knobs(one, settings))])


def test_any_workload_can_be_declared_to_be_katos_and_others_are_left_alone() -> None:
    by_tier = {"workloadSelector": {"matchLabels": {"tier": "inference"}}}
    by_expression = {
        "workloadSelector": {
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["inference"]}]
        }
    }

    assert not _breaks_single_writer({"app": "inference"}, {})
    assert _breaks_single_writer({"kato-lb/workload": "kato"}, {})
    assert _breaks_single_writer({"tier": "inference"}, by_tier)
    assert _breaks_single_writer({"tier": "inference"}, by_expression)
    assert not _breaks_single_writer({"tier": "shop"}, by_expression)
    assert not _breaks_single_writer({"tier": "inference"}, {"workloadSelector": {}})
