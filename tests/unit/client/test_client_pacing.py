"""Deadlines, backoff, Retry-After and the retry budget."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato_balancing.client._pacing import Deadline, RetryBudget, backoff, retry_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_backoff_has_full_jitter_and_a_cap(attempt, chance):
    assert 0 <= backoff(attempt, 0.05, 1.0, lambda: chance) <= min(1.0, 0.05 * 2 ** min(attempt, 9))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None), ("3", 3.0), (" 0 ", 0.0), ("soon", None), ("-1", None), ("1.5", None),
        ("Thu, 01 Jan 2026 00:00:10 GMT", 10.0), ("Thu, 01 Jan 2026 00:00:10", 10.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after(header, seconds):
    assert retry_after(header, NOW) == seconds


def test_a_deadline_never_goes_below_zero():
    now = [0.0]
    deadline = Deadline.after(2, lambda: now[0])
    assert deadline.left == 2
    now[0] = 5
    assert deadline.left == 0


@given(st.lists(st.booleans(), max_size=300))
def test_repeats_are_a_share_of_the_calls(steps):
    """Whatever the order: never more than the reserve and a fifth of the calls."""
    budget, calls, repeats = RetryBudget(0.2, 5), 0, 0
    for is_call in steps:
        if is_call:
            budget.call()
            calls += 1
        else:
            repeats += budget.take()
        assert repeats <= 5 + 0.2 * calls
