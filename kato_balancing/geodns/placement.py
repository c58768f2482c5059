"""Which region a client's network is nearest to.

Computed here, once, from the operator's own table instead of by the DNS server from a geographic
database: PowerDNS picks at random, without a word, when such a database has no accuracy radius or
does not know the regions' own addresses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import groupby
from math import asin, cos, radians, sin, sqrt

from kato_balancing.geodns.model import ClientNetwork, GeoDns, Location

Order = tuple[str, ...]
"""Names of regions, the first choice first."""


@dataclass(frozen=True)
class Group:
    """Networks of one size whose clients get the same order."""

    networks: tuple[str, ...]
    order: Order


def groups(dns: GeoDns) -> list[Group]:
    """The networks, smaller ones first: the first group that holds a client is its own."""

    def key(entry: ClientNetwork) -> tuple[int, Order]:
        return -ip_network(entry.network).prefixlen, order(dns, entry)

    return [
        Group(tuple(entry.network for entry in entries), found[1])
        for found, entries in groupby(sorted(dns.networks, key=key), key)
    ]


def order(dns: GeoDns, entry: ClientNetwork | None) -> Order:
    """The regions that clients of a network get, nearest first, without those that drain. None
    stands for clients in no network: the regions as they are listed."""
    taking = [region for region in dns.regions if region.name not in dns.draining]
    if entry is None:
        return tuple(region.name for region in taking)
    if entry.location is not None:
        start = entry.location
    else:
        start = next(one.location for one in dns.regions if one.name == entry.region)
    # Python's sort is stable: of two that are as near, the one that is listed first.
    nearest = sorted(
        taking, key=lambda one: (one.name != entry.region, distance(start, one.location))
    )
    return tuple(region.name for region in nearest)


def order_for(dns: GeoDns, client: str) -> Order:
    """The regions that a client at this address gets, nearest first."""
    address = ip_address(client)
    holding = [one for one in dns.networks if address in ip_network(one.network)]
    return order(dns, max(holding, key=_size, default=None))


def first(names: Order, serving: Sequence[str]) -> str | None:
    """The region that is answered with while these serve; None when it is the backup."""
    return next((name for name in names if name in serving), None)


def _size(entry: ClientNetwork) -> int:
    return ip_network(entry.network).prefixlen


def distance(one: Location, other: Location) -> float:
    """Part of a half turn around the Earth between two places, 0 to 1."""
    north, south = radians(one.latitude), radians(other.latitude)
    east = radians(one.longitude - other.longitude)
    half = sin((north - south) / 2) ** 2 + cos(north) * cos(south) * sin(east / 2) ** 2
    return asin(min(1.0, sqrt(half))) / asin(1)
