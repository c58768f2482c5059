"""Ratios against their aims."""

import pytest

from dev.bench.ratios import Aim, Comparison, compare


def test_an_aim_is_a_ceiling_or_a_floor():
    assert Aim(2.0).holds(2.0)
    assert not Aim(2.0).holds(2.01)
    assert Aim(3.0, at_least=True).holds(3.0)
    assert not Aim(3.0, at_least=True).holds(2.99)
    assert (str(Aim(2.0)), str(Aim(1.9, at_least=True))) == ("≤ 2.0", "≥ 1.9")


def test_the_ratio_is_the_median_of_the_pairs():
    # 2/1, 9/3, 40/10: not the ratio of the medians, which is 9/3 here only by chance of order.
    found = Comparison("x", (2, 40, 9), (1, 10, 3), Aim(3.0, at_least=True))
    assert found.ratio == 3
    assert found.holds


def test_without_an_aim_nothing_is_missed():
    assert Comparison("x", (1.0,), (100.0,), None).holds


@pytest.mark.parametrize(("rounds", "turns"), [(1, "ba ab"), (3, "ba ab ba ab")])
def test_both_are_measured_to_and_fro_and_the_first_pair_is_not_counted(rounds, turns):
    order = []

    def measured(name, value):
        def one():
            order.append(name)
            return value * len(order)

        return one

    found = compare(
        "x", measured("a", 1.0), measured("b", 2.0), rounds=rounds, aim=None, unit="r/s"
    )
    assert order == list(turns.replace(" ", ""))
    assert len(found.ours) == len(found.theirs) == rounds
    assert (found.ours[0], found.theirs[0]) == (3.0, 8.0)
    assert found.unit == "r/s"
