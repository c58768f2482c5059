"""A canary of new sessions: its steps, and the pattern that compares times for nginx."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato_balancing.model import Balancer
from kato_balancing.nginx_pools import at_least
from kato_balancing.problems import InvalidInput

BIRTHS = st.integers(min_value=10**12, max_value=10**13 - 1)
POOL = {"servers": [{"name": "canary", "host": "canary"}]}


@given(BIRTHS, BIRTHS)
def test_the_pattern_is_the_comparison(bound: int, birth: int) -> None:
    pattern = re.compile(f"-(?:{at_least(bound)})$")

    for near in (birth, bound, bound + 1, bound - 1):
        # Times have thirteen digits, from 2001 to 2286.
        if 10**12 <= near < 10**13:
            assert bool(pattern.search(f"session-0a-{near}")) == (near >= bound)


@pytest.mark.parametrize(
    ("canary", "path", "cure"),
    [
        ({"mode": "NEW_SESSIONS"}, "canary.since", "is needed"),
        ({"since": 1_800_000_000_000}, "canary.since", "NEW_SESSIONS only"),
        (
            {"earlier": [{"since": 1_800_000_000_000, "share": 1}]},
            "canary.earlier",
            "NEW_SESSIONS only",
        ),
        (
            {
                "mode": "NEW_SESSIONS",
                "since": 1_800_000_000_000,
                "earlier": [{"since": 1_800_000_000_000, "share": 1}],
            },
            "canary.earlier",
            "in the order of time",
        ),
        ({"mode": "NEW_SESSIONS", "since": 1_800_000_000}, "canary.since", "1000000000000"),
        ({"mode": "SOME"}, "canary.mode", "NEW_SESSIONS"),
    ],
)
def test_steps_that_make_no_sense_are_refused(
    canary: dict[str, Any], path: str, cure: str, make: Callable[..., Balancer]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(canary={"pool": POOL, "share": 5, **canary})

    assert [(one.path, cure in one.message) for one in caught.value.problems] == [(path, True)]


@pytest.mark.parametrize("affinity", ["NONE", "CLIENT_IP"])
def test_births_are_read_from_sessions_only(affinity: str, make: Callable[..., Balancer]) -> None:
    canary = {"pool": POOL, "share": 5, "mode": "NEW_SESSIONS", "since": 1_800_000_000_000}

    with pytest.raises(InvalidInput, match="SESSION affinity"):
        make(canary=canary, affinity=affinity)


def test_the_steps_are_in_the_order_of_time(make: Callable[..., Balancer]) -> None:
    earlier = [{"since": 1_790_000_000_000, "share": 5}]
    canary = {"pool": POOL, "mode": "NEW_SESSIONS", "since": 1_800_000_000_000, "earlier": earlier}

    made = make(canary={**canary, "share": 25}).canary

    assert made is not None
    assert [(step.since, step.share) for step in made.steps] == [
        (1_790_000_000_000, 5),
        (1_800_000_000_000, 25),
    ]
