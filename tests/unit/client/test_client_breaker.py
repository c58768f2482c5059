"""Opens, is tried by selection, closes; never more than half of the instances aside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato_balancing.client import BreakerSettings, BreakerState, CircuitBreaker
from kato_balancing.client.breaker import BreakerBoard


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


SETTINGS = BreakerSettings(failures=3, seconds=2, most_seconds=5)


def opened(clock):
    breaker = CircuitBreaker(SETTINGS, clock=clock)
    for _ in range(3):
        breaker.failed()
    return breaker


def test_failures_in_a_row_open_it(clock):
    breaker = CircuitBreaker(SETTINGS, clock=clock)
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(2):
        breaker.failed()
    assert breaker.state is BreakerState.CLOSED
    breaker.failed()
    assert breaker.state is BreakerState.OPEN
    assert not breaker.selectable()
    assert not breaker.acquire()


def test_one_trial_decides(clock):
    breaker = opened(clock)
    clock.now += 2

    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.selectable()
    assert breaker.acquire()
    assert not breaker.acquire()
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.acquire()


def test_a_failed_trial_waits_longer_up_to_a_limit(clock):
    breaker = opened(clock)
    for wait in (2, 4, 5, 5):
        clock.now += wait - 0.1
        assert not breaker.selectable()
        clock.now += 0.1
        assert breaker.acquire()
        breaker.failed()


def test_a_trial_without_an_end_is_given_again(clock):
    breaker = opened(clock)
    clock.now += 2
    assert breaker.acquire()
    clock.now += 2
    assert breaker.acquire()


def test_what_comes_late_does_not_prolong_it(clock):
    breaker = opened(clock)
    clock.now += 1.9
    breaker.failed()
    clock.now += 0.1
    assert breaker.selectable()


@given(st.integers(1, 9), st.lists(st.integers(0, 8), max_size=9))
def test_at_most_half_are_set_aside(count, failing):
    clock = Clock()
    board = BreakerBoard(map(str, range(count)), SETTINGS, clock=clock)
    for place in failing:
        clock.now += 0.01
        for _ in range(3):
            board[str(place % count)].failed()

    aside = board.set_aside()
    assert len(aside) == min(count // 2, len({place % count for place in failing}))


def test_those_that_opened_first_are_set_aside(clock):
    board = BreakerBoard("abc", SETTINGS, clock=clock)
    for name in "bca":
        clock.now += 0.1
        for _ in range(3):
            board[name].failed()
    assert board.set_aside() == {"b"}
