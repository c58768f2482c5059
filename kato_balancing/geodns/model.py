"""What a DNS of regions answers: the regions, where clients are, and what counts as serving.

Validated once, when it is made, and immutable from then on. Times are seconds.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from kato_balancing.fields import (
    Frozen,
    Host,
    IpAddress,
    ListOf,
    Network,
    ServerName,
    refused,
    refused_at,
)
from kato_balancing.hosts import is_address
from kato_balancing.problems import InvalidInput, from_validation
from kato_balancing.urls import PageUrl, port

MOST_NETWORKS = 2000
"""A record holds 65,535 bytes, and every query walks the networks."""

OUT_WITHIN_SECONDS = 5
"""A failing region leaves the answers within this time; clients add the TTL."""

_Rules = Iterator[tuple[tuple[str, ...], str]]


def _domain(value: str) -> str:
    name = value.rstrip(".").lower()
    label = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
    if len(name) > 253 or not re.fullmatch(rf"{label}(?:\.{label})+", name):
        raise refused("must be a domain such as kato.example.com")
    return name


def _label(value: str) -> str:
    if value != "@" and not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", value):
        raise refused("must be one label such as api, or @ for the zone itself")
    return value


def _expected_text(value: str) -> str:
    if not re.fullmatch(r"[\x20-\x7e]{1,200}", value):
        raise refused("must be 1 to 200 printable ASCII characters")
    if re.fullmatch(r"\w+", value):
        raise refused(
            'is found inside other words too, as "healthy" is in "unhealthy"; give it with what '
            'stands around it, such as "status":"healthy" with its quotes'
        )
    return value


Degrees = Annotated[float, Field(allow_inf_nan=False)]


class Location(Frozen):
    """A place on Earth."""

    latitude: Annotated[Degrees, Field(ge=-90, le=90)]
    """Degrees, north is positive."""
    longitude: Annotated[Degrees, Field(ge=-180, le=180)]
    """Degrees, east is positive."""


class Region(Frozen):
    """A KATO of its own, with its own stores."""

    name: ServerName
    """As in the handles that clients keep and in the balancers' ``region``."""
    addresses: Annotated[tuple[IpAddress, ...], ListOf, Field(min_length=1, max_length=16)]
    """Public addresses, IPv4 and IPv6: the answer."""
    location: Location
    health_url: PageUrl
    """Asked at every address of the region: 200 means that the address serves. KATO's /health
    says 200 whatever its stores do; /sessions/lb-probe/exists says it only when Redis answers."""


class ClientNetwork(Frozen):
    """Where the clients of a network are: a region's name or a place."""

    network: Network
    region: ServerName | None = None
    """Its clients get this region, and when it does not serve the one that is nearest to it."""
    location: Location | None = None
    """Its clients get the region that is nearest to this place."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.region is None) == (self.location is None):
            raise refused("needs either region or location, not both")
        return self


class Checks(Frozen):
    """How the DNS server finds out which regions serve."""

    interval: Annotated[int, Field(ge=1, le=60)] = 1
    """Whole seconds: the server has no finer clock for it."""
    timeout: Annotated[int, Field(ge=1, le=60)] = 2
    """A region that has not answered by then does not serve."""
    text: Annotated[str, AfterValidator(_expected_text)] | None = None
    """Text that the answer must hold besides being a 200. None: any."""

    @property
    def detection(self) -> int:
        """Seconds until a failing region is out at the latest: another region that hangs holds
        the next round up for as long as it may."""
        return max(self.interval, self.timeout) + self.timeout


class Backup(Frozen):
    """The answer while no region serves: a region's name or addresses."""

    region: ServerName | None = None
    addresses: Annotated[tuple[IpAddress, ...], ListOf, Field(max_length=16)] = ()
    """Of a page that says what is going on, for example."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.region is None) == (not self.addresses):
            raise refused("needs either region or addresses, not both")
        return self


class GeoDns(Frozen):
    """One name that each client gets the nearest serving region for."""

    zone: Annotated[str, AfterValidator(_domain)]
    """Delegated to these DNS servers."""
    record: Annotated[str, AfterValidator(_label)] = "@"
    """Name inside the zone; @ is the zone itself."""
    name_servers: Annotated[tuple[Host, ...], ListOf, Field(min_length=1, max_length=8)]
    """Names of the DNS servers, as the parent zone delegates to them."""
    ttl: Annotated[int, Field(ge=1, le=3600)] = 20
    """For this long clients stay with an answer, also of a region that has failed since."""
    regions: Annotated[tuple[Region, ...], ListOf, Field(min_length=1, max_length=32)]
    """A client that is in no network gets them in this order."""
    networks: Annotated[tuple[ClientNetwork, ...], ListOf, Field(max_length=MOST_NETWORKS)] = ()
    """Where clients are. The smallest network that holds a client counts."""
    backup: Backup
    draining: Annotated[tuple[ServerName, ...], ListOf] = ()
    """Regions that get no new clients; they are checked all the same."""
    checks: Checks = Checks()

    @property
    def name(self) -> str:
        """The name that clients look up."""
        return self.zone if self.record == "@" else f"{self.record}.{self.zone}"

    @property
    def check_ports(self) -> tuple[int, ...]:
        """Ports at which the DNS server asks whether a region serves."""
        return tuple(sorted({port(region.health_url) for region in self.regions}))

    @property
    def backup_addresses(self) -> tuple[str, ...]:
        """The answer while no region serves."""
        by_name = {region.name: region.addresses for region in self.regions}
        return self.backup.addresses or by_name[self.backup.region or ""]

    @model_validator(mode="after")
    def _relations(self) -> Self:
        broken = list(self._broken())
        if broken:
            raise refused_at("GeoDns", broken)
        return self

    def _broken(self) -> _Rules:
        yield from self._regions_apart()
        known = [region.name for region in self.regions]
        named: list[tuple[tuple[str, ...], str | None]] = [
            (("backup", "region"), self.backup.region)
        ]
        named += [((f"draining[{i}]",), name) for i, name in enumerate(self.draining)]
        named += [((f"networks[{i}]", "region"), n.region) for i, n in enumerate(self.networks)]
        for location, name in named:
            if name is not None and name not in known:
                yield location, f"is no region; there are {', '.join(known)}"
        if set(known) <= set(self.draining):
            yield ("draining",), "leaves no region for new clients; take one out"
        if self.backup.region in self.draining:
            yield ("backup", "region"), "is draining; name another region, or addresses"
        seen: dict[str, int] = {}
        for index, entry in enumerate(self.networks):
            if entry.network in seen:
                first = f"networks[{seen[entry.network]}]"
                yield (f"networks[{index}]", "network"), f"is in {first} too; take one out"
            seen[entry.network] = index
        for index, name in enumerate(self.name_servers):
            if f".{name.rstrip('.').lower()}".endswith(f".{self.zone}") or is_address(name):
                yield (
                    (f"name_servers[{index}]",),
                    f"must be a name outside of {self.zone}: nobody could find it by asking it",
                )
        if self.checks.detection > OUT_WITHIN_SECONDS:
            yield (
                ("checks",),
                f"find a failing region after up to {self.checks.detection} s, which must be at "
                f"most {OUT_WITHIN_SECONDS}; lower timeout or interval",
            )

    def _regions_apart(self) -> _Rules:
        names: dict[str, int] = {}
        owners: dict[str, str] = {}
        for index, region in enumerate(self.regions):
            place = f"regions[{index}]"
            if region.name in names:
                yield (place, "name"), f"is regions[{names[region.name]}]'s too; give it its own"
            names[region.name] = index
            for address in region.addresses:
                if address in owners:
                    yield (place, "addresses"), f"{address} is in {owners[address]} too"
                owners[address] = place

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """What plain data describes. Raises InvalidInput, which lists every problem by its
        field's path with the rule and the cure."""
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise InvalidInput(from_validation(error)) from None
