"""Where new sessions go, by what was measured."""

import random
from collections import Counter

import pytest

from kato_balancing.client import MetricsWeighting, WeightingSettings

NAMES = ["a", "b", "c"]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def weighting(clock):
    return MetricsWeighting(NAMES, clock=clock, chance=random.Random(1))


def measure(weighting, **latencies):
    for name, seconds in latencies.items():
        weighting.begin(name)
        weighting.end(name, seconds)


def shares(weighting, clock, count=3000, each=0.01):
    found = Counter()
    for _ in range(count):
        clock.now += each
        chosen = weighting.choose(NAMES)
        found[chosen] += 1
        if weighting.latency(chosen) is not None:
            measure(weighting, **{chosen: weighting.latency(chosen)})
    return {name: found[name] / count for name in NAMES}


def test_equals_share_equally(weighting, clock):
    measure(weighting, a=0.01, b=0.01, c=0.01)
    assert all(0.25 < share < 0.42 for share in shares(weighting, clock, 900).values())


def test_a_slow_one_gets_nearly_nothing(weighting, clock):
    measure(weighting, a=0.01, b=0.01, c=0.1)
    assert shares(weighting, clock)["c"] < 0.01


def test_a_fast_one_does_not_get_all(weighting, clock):
    measure(weighting, a=0.001, b=0.01, c=0.01)
    assert shares(weighting, clock, 900)["a"] < 0.72


def test_unknown_is_tried_but_not_preferred(weighting, clock):
    """The guide's balancer gave 78 % to an instance that had never reported."""
    measure(weighting, a=0.01, b=0.01)
    assert 0 < shares(weighting, clock)["c"] < 0.05


def test_old_measurements_are_no_measurements(weighting, clock):
    measure(weighting, a=0.5)
    clock.now += 11
    assert weighting.latency("a") is None


def test_trouble_is_seen_within_a_few_answers_and_a_hiccup_is_not_trouble(weighting, clock):
    measure(weighting, a=0.01, b=0.01, c=0.01)
    for _ in range(2):  # the caller's machine stood still with two calls on their way
        measure(weighting, a=0.5)
    assert weighting.latency("a") < 0.02
    for _ in range(4):
        measure(weighting, b=0.1)
    assert not weighting.has_slow(["b", "c"])
    measure(weighting, b=0.1)
    assert weighting.has_slow(["b", "c"])
    assert not weighting.good_enough("b", ["b", "c"])
    for _ in range(20):
        measure(weighting, b=0.1)
    assert weighting.latency("b") > 0.09
    for _ in range(7):
        clock.now += 5
        measure(weighting, b=0.01)
    assert weighting.latency("b") < 0.02


def test_one_that_was_slow_is_tried_without_a_session_of_its_own(weighting, clock):
    measure(weighting, a=0.01, b=0.01, c=0.1)
    clock.now += 11
    measure(weighting, a=0.01, b=0.01)
    assert weighting.latency("c") is None
    assert weighting.has_slow(NAMES)
    assert not weighting.good_enough("c", NAMES)
    assert "c" in [weighting.choose(NAMES) for _ in range(20)]
    measure(weighting, c=0.01)
    assert weighting.good_enough("c", NAMES)


def test_in_flight_counts(weighting):
    measure(weighting, a=0.01, b=0.01, c=0.01)
    for _ in range(3):
        weighting.begin("a")
    assert weighting.in_flight("a") == 3
    assert not weighting.good_enough("a", NAMES)
    assert weighting.good_enough("b", NAMES)


def test_one_that_returns_starts_slowly(clock):
    settings = WeightingSettings(slow_start=10)
    weighting = MetricsWeighting(NAMES, settings, clock=clock, chance=random.Random(2))
    measure(weighting, a=0.01, b=0.01)
    weighting.returned("c")
    measure(weighting, c=0.01)
    counts = []
    for _ in range(3):
        chosen = Counter(weighting.choose(NAMES) for _ in range(600))
        counts.append(chosen["c"])
        clock.now += 4.5
        measure(weighting, a=0.01, b=0.01, c=0.01)
    assert counts[0] == 0
    assert counts[0] < counts[1] < counts[2]


def test_alone_and_nobody(weighting):
    assert weighting.choose(["a"]) == "a"
    assert weighting.good_enough("a", ["a"])
    with pytest.raises(ValueError, match="no candidates"):
        weighting.choose([])
