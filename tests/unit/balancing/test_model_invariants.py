"""The arithmetic behind the relations between a balancer and KATO."""

from collections.abc import Callable
from typing import Any

import pytest

from kato_balancing import invariants, kato
from kato_balancing.model import Balancer, Drain, KatoProcess


@pytest.mark.parametrize(
    ("settings", "budget"),
    [
        ({}, 313),
        ({"limits": {"balancers": 2}}, 131),
        ({"limits": {"balancers": 3}}, 71),
        ({"limits": {"workers": 1}}, 377),
        ({"limits": {"websockets": 0}}, 363),
        ({"limits": {"reserve": 0}}, 321),
        ({"balancing": "LEAST_CONNECTIONS"}, 277),
        ({"balancing": "LEAST_CONNECTIONS", "affinity": "NONE"}, 313),
        ({"keep_alive": {"connections": 1}}, 439),
        ({"process": {"connection_limit": 1000}}, 813),
        ({"process": {"connection_limit": 150}}, 41),
    ],
)
def test_the_budget_is_what_katos_limit_leaves(
    settings: dict[str, Any], budget: int, make: Callable[..., Balancer]
) -> None:
    assert invariants.request_budget(make(**settings)) == budget


@pytest.mark.parametrize("balancers", [1, 2, 3])
@pytest.mark.parametrize("balancing", ["ROUND_ROBIN", "LEAST_CONNECTIONS"])
def test_all_connections_of_all_balancers_fit_into_one_process(
    balancers: int, balancing: str, make: Callable[..., Balancer]
) -> None:
    limits = {"balancers": balancers, "workers": 1, "websockets": 20}
    balancer = make(limits=limits, balancing=balancing)
    one = (
        invariants.request_budget(balancer)
        + invariants.idle_connections(balancer)
        + balancer.limits.websockets
    )

    assert balancers * one + balancer.limits.reserve < balancer.process.connection_limit


@pytest.mark.parametrize(
    ("stop_seconds", "graceful", "needed"),
    [(35, 30, None), (34.9, 30, "35 s"), (0, 30, "35 s"), (65, 60, None), (64, 60, "65 s")],
)
def test_a_replica_is_killed_only_after_its_drain_and_last_writes(
    stop_seconds: float, graceful: float, needed: str | None
) -> None:
    broken = invariants.of_stop_time(stop_seconds, KatoProcess(graceful_shutdown=graceful))

    assert [b.location for b in broken] == ([] if needed is None else [("stop_seconds",)])
    assert all(f"at least {needed}" in b.message for b in broken)


def test_a_stop_time_that_is_no_number_is_refused() -> None:
    assert invariants.of_stop_time(float("nan"), KatoProcess())


def test_a_balancer_drains_for_as_long_as_kato_does() -> None:
    assert Drain().seconds == kato.GRACEFUL_SHUTDOWN_SECONDS + kato.FLUSH_SECONDS


def test_the_default_image_is_one_that_needs_no_advice() -> None:
    from kato_balancing import images

    image = images.check_kato(kato.IMAGE)

    assert images.advice(image) is None
    assert image.version is not None
    assert kato.MINIMUM_VERSION < kato.ADVISED_VERSION <= image.version
