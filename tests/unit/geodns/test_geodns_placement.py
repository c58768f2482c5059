"""Which region a client is nearest to."""

from typing import Any

import pytest
from geodns_samples import PLACES, inputs
from hypothesis import given
from hypothesis import strategies as st

from kato_balancing.geodns import GeoDns, placement
from kato_balancing.geodns.model import Location


def dns(**more: Any) -> GeoDns:
    return GeoDns.of(inputs(**more))


def at(latitude: float, longitude: float) -> dict[str, Any]:
    place = {"latitude": latitude, "longitude": longitude}
    return {"networks": [{"network": "198.51.100.0/24", "location": place}]}


@pytest.mark.parametrize(
    ("city", "place", "order"),
    [
        ("Paris", (48.9, 2.3), ("eu", "us", "sa", "asia")),
        ("Tokyo", (35.7, 139.7), ("asia", "eu", "us", "sa")),
        ("Lima", (-12.0, -77.0), ("sa", "us", "eu", "asia")),
        ("Fiji, over the date line", (-17.0, -179.0), ("asia", "us", "sa", "eu")),
    ],
)
def test_regions_by_distance(city: str, place: tuple[float, float], order: tuple[str, ...]) -> None:
    assert placement.order_for(dns(**at(*place)), "198.51.100.7") == order, city


def test_clients_in_no_network_get_the_regions_as_they_are_listed() -> None:
    assert placement.order_for(dns(**at(0, 0)), "203.0.113.1") == tuple(PLACES)


def test_the_smallest_network_counts() -> None:
    model = dns(networks=[
        {"network": "10.0.0.0/8", "region": "us"},
        {"network": "10.1.0.0/16", "region": "asia"},
        {"network": "2001:db8::/32", "region": "sa"},
    ])  # fmt: skip

    firsts = {
        client: placement.order_for(model, client)[0]
        for client in ("10.2.0.1", "10.1.0.1", "2001:db8::1")
    }
    assert firsts == {"10.2.0.1": "us", "10.1.0.1": "asia", "2001:db8::1": "sa"}
    sizes = [group.networks[0].partition("/")[2] for group in placement.groups(model)]
    assert sizes == sorted(sizes, key=int, reverse=True)


def test_a_draining_region_is_in_no_order() -> None:
    model = dns(draining=["eu"], networks=[{"network": "10.0.0.0/8", "region": "eu"}])

    assert placement.order_for(model, "10.0.0.1") == ("us", "sa", "asia")
    assert placement.order_for(model, "192.0.2.1") == ("us", "asia", "sa")


PLACE = st.builds(Location, latitude=st.floats(-90, 90), longitude=st.floats(-180, 180))


@given(one=PLACE, other=PLACE)
def test_distance_is_a_distance(one: Location, other: Location) -> None:
    found = placement.distance(one, other)

    assert 0 <= found <= 1
    assert placement.distance(other, one) == pytest.approx(found)
    assert placement.distance(one, one) == 0


@given(place=PLACE)
def test_the_first_is_the_nearest(place: Location) -> None:
    model = dns(**at(place.latitude, place.longitude))
    names = placement.order(model, model.networks[0])
    ways = {one.name: placement.distance(place, one.location) for one in model.regions}

    assert [ways[name] for name in names] == sorted(ways.values())
