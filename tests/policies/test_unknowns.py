"""Three-valued judgement: an unknown value is never a pass, a finding or a crash."""

import copy
import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from analyzer import Packs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.catalogue import RULES
from policies.examples.breaking import EXAMPLES
from policies.examples.reading import resources
from policies.examples.sound import ON_DOCKER, ON_HAPROXY, ON_NGINX
from policies.findings import Broken, Unverified
from policies.relations import Stack
from policies.resources import CONTAINER, Resource
from policies.rule import Knobs
from policies.values import SENTINELS, UNKNOWN, plain, some, which

KNOBS = {rule.id: Knobs(rule) for rule in RULES}
TEXTS = tuple(
    dict.fromkeys(
        [
            ON_NGINX,
            ON_HAPROXY,
            ON_DOCKER,
            *(one.breaks for examples in EXAMPLES.values() for one in examples),
        ]
    )
)
TYPES = (
    *sorted({one.type for text in (ON_NGINX, ON_DOCKER) for one in resources(text)}),
    "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
    "kubernetes:gateway.networking.k8s.io/v1:Gateway",
    "kubernetes:batch/v1:CronJob",
    "kubernetes:core/v1:Pod",
    "kubernetes:networking.k8s.io/v1:IngressClass",
    "kubernetes:helm.sh/v3:Release",
    CONTAINER,
)
Path = tuple[str | int, ...]


def judge(found: list[Resource]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """What is broken and what is open, each by rule and URN."""
    stack = Stack(found)
    broken: set[tuple[str, str]] = set()
    open_: set[tuple[str, str]] = set()
    for rule in RULES:
        subjects: list[Any] = [stack] if rule.stack else found
        for subject in subjects:
            for hit in rule.hits(subject, KNOBS[rule.id]):
                assert isinstance(hit, Broken | Unverified)
                (broken if isinstance(hit, Broken) else open_).add((rule.id, hit.urn))
    return broken, open_


@functools.cache
def read(text: str) -> tuple[Resource, ...]:
    return tuple(resources(text))


def paths(data: Any, above: Path = ()) -> Iterator[Path]:
    """Every property, at every depth."""
    pairs = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, item in pairs:
        yield (*above, key)
        yield from paths(item, (*above, key))


def put(data: Any, path: Path, value: Any) -> Any:
    changed = copy.deepcopy(data)
    here = changed
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return changed


def replaced(found: tuple[Resource, ...], index: int, path: Path, value: Any) -> list[Resource]:
    one = found[index]
    changed = replace(one, data=put(one.data, path, value))
    return [*found[:index], changed, *found[index + 1 :]]


@pytest.mark.parametrize("text", [ON_NGINX, ON_DOCKER], ids=["kubernetes", "docker"])
def test_no_unknown_property_of_a_sound_stack_is_a_finding(text: str) -> None:
    found = read(text)
    opened = 0
    for index, one in enumerate(found):
        for path in paths(one.data):
            broken, open_ = judge(replaced(found, index, path, UNKNOWN))
            assert broken == set(), (one.name, path)
            opened += bool(open_)
    assert opened > 50


HOSTILE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 10**6),
        st.floats(allow_nan=False),
        st.sampled_from(["", "0", "50%", "999%", "kato", "a\0b", "[", "\u0661", "x" * 300]),
        st.just(UNKNOWN),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["name", "spec", "metadata", "containers", "matchLabels", "", "a b"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[list[Resource], list[Resource], bool]:
    """A stack with a few hostile properties and unknown ones, and the same with those known."""
    found = list(read(draw(st.sampled_from(TEXTS))))
    with_known = list(found)
    unknown = False
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(found) - 1))
        listed = list(paths(found[index].data))
        if not listed:
            continue
        path = draw(st.sampled_from(listed))
        value = draw(HOSTILE)
        known = draw(HOSTILE.filter(lambda value: UNKNOWN not in _leaves(value)))
        unknown = unknown or UNKNOWN in _leaves(value)
        found[index] = replace(found[index], data=put(found[index].data, path, value))
        settled = _known(value, known)
        if path in set(paths(with_known[index].data)):
            data = put(with_known[index].data, path, settled)
            with_known[index] = replace(with_known[index], data=data)
    return found, with_known, unknown


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _known(value: Any, known: Any) -> Any:
    """The value with something known in the place of what is not."""
    if value is UNKNOWN:
        return known
    if isinstance(value, dict):
        return {key: _known(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_known(item, known) for item in value]
    return value


# 1,000 stacks of 4 to 13 resources.
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_no_finding_depends_on_an_unknown_value(
    case: tuple[list[Resource], list[Resource], bool],
) -> None:
    found, with_known, _ = case

    broken, _ = judge(found)
    then, _ = judge(with_known)

    assert broken <= then


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(TYPES), HOSTILE), min_size=1, max_size=10))
def test_no_shape_of_properties_is_a_crash(shapes: list[tuple[str, Any]]) -> None:
    judge(
        [
            Resource(f"urn:{index}", type_, f"r{index}", data)
            for index, (type_, data) in enumerate(shapes)
        ]
    )


@pytest.mark.parametrize("sentinel", sorted(SENTINELS))
def test_what_is_not_known_yet_is_unknown_in_plain_data(sentinel: str) -> None:
    raw = {"a": [1.0, sentinel, {"b": sentinel, "c": "x"}], "d": sentinel}

    assert plain(raw) == {"a": [1.0, UNKNOWN, {"b": UNKNOWN, "c": "x"}], "d": UNKNOWN}


def test_an_unknown_value_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError):
        bool(UNKNOWN)


def test_one_known_witness_decides() -> None:
    [one] = [resource for resource in read(ON_NGINX) if resource.kind == "StatefulSet"][:1]
    known = one.props["spec"]
    unknown = replace(one, data={"spec": UNKNOWN}).props["spec"]

    assert some([unknown, known], lambda value: value.present)
    found, open_question = which([unknown, known], lambda value: value.present)
    assert [item.path for item in found] == ["spec"]
    assert open_question is not None


def test_what_is_open_is_listed_by_the_engine_and_can_be_mandatory(packs: Packs) -> None:
    found = list(resources(ON_NGINX))
    index = next(i for i, one in enumerate(found) if one.name == "kato-statefulset")
    path = ("spec", "template", "spec", "terminationGracePeriodSeconds")
    unknown = replaced(tuple(found), index, path, UNKNOWN)

    [advisory] = packs.findings(unknown)
    [mandatory] = packs.findings(unknown, {"coverage-unverified": "mandatory"})

    assert (advisory.level, mandatory.level) == ("advisory", "mandatory")
    assert advisory.policy == mandatory.policy == "coverage-unverified"
    assert "kato-statefulset: spec.template.spec.terminationGracePeriodSeconds" in advisory.message
    assert "lb-graceful-shutdown" in advisory.message


def test_a_value_that_becomes_known_is_judged_then(packs: Packs) -> None:
    """In `pulumi up`: unknown when the resource is registered, wrong once it exists."""
    found = list(resources(ON_NGINX))
    index = next(i for i, one in enumerate(found) if one.name == "kato-statefulset")
    path = ("spec", "template", "spec", "containers", 0, "image")
    before = replaced(tuple(found), index, path, UNKNOWN)
    after = replaced(tuple(found), index, path, "acme/kato:latest")
    packs.configure({})

    diagnostics = [
        one
        for analyzer in packs.of.values()
        for one in (*analyzer.analyze(before), *analyzer.analyze_stack(after))
    ]

    assert {(one.policy, one.level) for one in diagnostics} == {("late-violation", "mandatory")}
    assert any("[image-pinned]" in one.message for one in diagnostics)
