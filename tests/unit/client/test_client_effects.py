"""The judgement over a memory is never wrong, whatever was written; at worst it does not know."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato_balancing.client._effects import (
    STM_LIMIT,
    Decision,
    Memory,
    decide,
    effect_of,
    last_event,
)

events = st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True)
memories = st.lists(events.map(sorted), max_size=5)
observations = st.fixed_dictionaries({"strings": st.lists(st.sampled_from("abc"), max_size=2)})
bodies = st.one_of(
    st.tuples(st.just("observe"), observations),
    st.tuples(st.just("learn"), st.just({})),
    st.tuples(
        st.just("observe-sequence"),
        st.fixed_dictionaries(
            {
                "observations": st.lists(observations, max_size=3),
                "learn_at_end": st.booleans(),
                "clear_stm_between": st.booleans(),
            }
        ),
    ),
)


def done(action, body, stm, most=0, rolling=False):
    """KATO's memory after a call."""
    stm = [list(event) for event in stm]

    def add(one):
        if one["strings"]:
            stm.append(sorted(one["strings"]))
            if most and len(stm) >= most:
                stm[:] = stm[len(stm) - most + 1 :] if rolling and most > 1 else []

    if action == "observe":
        add(body)
    elif action == "learn":
        stm.clear()
    else:
        for place, one in enumerate(body["observations"]):
            if place and body["clear_stm_between"]:
                stm.clear()
            add(one)
        if body["learn_at_end"]:
            stm.clear()
    return stm[-STM_LIMIT:]


@given(bodies, memories, st.sampled_from([0, 0, 2, 3, 4]), st.booleans())
def test_no_decision_is_wrong(call, stm, most, rolling):
    action, body = call
    stm = stm[: max(0, most - 1)] if most else stm
    effect = effect_of(action, json.dumps(body).encode())
    before = Memory(len(stm), last_event(stm))
    after = done(action, body, stm, most, rolling)
    asked = {"learns_itself": most != 0}

    if after != stm:  # else both are true
        assert decide(before, effect, after, **asked) is not Decision.UNCHANGED
        assert decide(before, effect, stm, **asked) is not Decision.APPLIED


@given(observations.filter(lambda one: one["strings"]), memories)
def test_an_ordinary_observation_is_always_decided(body, stm):
    effect = effect_of("observe", json.dumps(body).encode())
    before = Memory(len(stm), last_event(stm))

    after = done("observe", body, stm)
    assert decide(before, effect, after, learns_itself=False) is Decision.APPLIED
    assert decide(before, effect, stm, learns_itself=False) is Decision.UNCHANGED
    told = effect.after(before)
    assert (told.length, told.last) == (len(after), last_event(after))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (["a"] * STM_LIMIT, [*["a"] * (STM_LIMIT - 1), "b"], Decision.APPLIED),
        (["a"] * STM_LIMIT, ["a"] * STM_LIMIT, Decision.UNCHANGED),
        (["b"] * STM_LIMIT, ["b"] * STM_LIMIT, Decision.UNCLEAR),
        (["a"], ["a", "c"], Decision.UNCLEAR),  # somebody else's
        (["a"], ["a", "b", "b"], Decision.UNCLEAR),
        (["a"], [], Decision.UNCLEAR),
    ],
)
def test_full_memories_and_other_writers(before, now, expected):
    before, now = [[s] for s in before], [[s] for s in now]
    effect = effect_of("observe", b'{"strings": ["b"]}')
    memory = Memory(len(before), last_event(before))

    assert decide(memory, effect, now, learns_itself=False) is expected


def test_vectors_have_names_that_only_kato_knows():
    effect = effect_of("observe", b'{"strings": ["a"], "vectors": [[1.0]]}')

    assert decide(Memory(0), effect, [["VCTR|1", "a"]]) is Decision.APPLIED
    assert decide(Memory(0), effect, [["a"]]) is Decision.UNCLEAR
    assert decide(Memory(0), effect, []) is Decision.UNCHANGED


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"strings": []}', b"{}"])
def test_what_leaves_no_trace(body):
    assert decide(Memory(1), effect_of("observe", body), [["a"]]) is Decision.UNCLEAR
