"""The DNS of regions as component inputs, field by field (see kato_balancing.geodns.model)."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict, TypeVar

from kato_balancing.fields import Frozen, ImageReference, IpAddress, Port
from kato_balancing.geodns import GeoDns, powerdns

from .inputs import checked

IMAGE = "powerdns/pdns-auth-50:5.0.0"
"""Default image; it has to hold pdns_server, pdns_control, sdig and a shell."""


class LocationSettings(TypedDict):
    """A place on Earth."""

    latitude: float
    """Degrees, north is positive."""
    longitude: float
    """Degrees, east is positive."""


class DnsRegion(TypedDict):
    """A KATO of its own, with its own stores."""

    name: str
    """As in the handles that clients keep."""
    addresses: Sequence[str]
    """Public addresses, IPv4 and IPv6."""
    location: LocationSettings
    """Where it is."""
    health_url: str
    """Asked at every address; 200 means that it serves. Its path should be
    /sessions/lb-probe/exists: KATO's /health says 200 whatever its stores do."""


class ClientNetworkSettings(TypedDict):
    """Where the clients of a network are: give region or location."""

    network: str
    """Such as 198.51.100.0/24."""
    region: NotRequired[str]
    """The region they get first. Defaults to none."""
    location: NotRequired[LocationSettings]
    """They get the region that is nearest to it. Defaults to none."""


class CheckSettings(TypedDict):
    """How the DNS server finds out which regions serve."""

    interval: NotRequired[int]
    """Seconds between checks. Defaults to 1."""
    timeout: NotRequired[int]
    """Seconds that a region may take to answer. Defaults to 2."""
    text: NotRequired[str]
    """Text that the answer must hold besides being a 200. Defaults to none."""


class BackupSettings(TypedDict):
    """The answer while no region serves: give region or addresses."""

    region: NotRequired[str]
    """A region's name. Defaults to none."""
    addresses: NotRequired[Sequence[str]]
    """Addresses of a page that says what is going on. Defaults to none."""


class DnsPublication(TypedDict):
    """Where resolvers reach the server, by UDP and TCP."""

    port: NotRequired[int]
    """Port of the host. Defaults to 5300; the world asks at 53."""
    address: NotRequired[str]
    """Address of the host. Defaults to 127.0.0.1: this machine only."""


class GeoDnsArgs(TypedDict):
    """Inputs of GeoDns."""

    zone: str
    """Delegated to these DNS servers, such as kato.example.com."""
    record: NotRequired[str]
    """Name inside the zone. Defaults to "@": the zone itself."""
    name_servers: Sequence[str]
    """Names of the DNS servers, outside of the zone, as its parent has them."""
    ttl: NotRequired[int]
    """Seconds that clients stay with an answer. Defaults to 20."""
    regions: Sequence[DnsRegion]
    """A client that is in no network gets them in this order."""
    networks: NotRequired[Sequence[ClientNetworkSettings]]
    """Where clients are; the smallest network counts. Defaults to none."""
    backup: BackupSettings
    """The answer while no region serves."""
    draining: NotRequired[Sequence[str]]
    """Regions that get no new clients. Defaults to none."""
    checks: NotRequired[CheckSettings]
    """How the DNS server finds out which regions serve."""
    image: NotRequired[str]
    """Image of PowerDNS Authoritative 4.7 or newer. Defaults to powerdns/pdns-auth-50:5.0.0."""
    publish: NotRequired[DnsPublication]
    """Where resolvers reach it."""
    labels: NotRequired[Mapping[str, str]]
    """Labels on the container."""


class Publication(Frozen):
    """``DnsPublication`` with its defaults."""

    port: Port = powerdns.PORT
    address: IpAddress = "127.0.0.1"


class ServerInputs(Frozen):
    """What the server needs besides the model."""

    image: ImageReference = IMAGE
    publish: Publication = Publication()
    labels: Mapping[str, str] = {}


_Inputs = TypeVar("_Inputs", bound=Frozen)


def split(args: Mapping[str, Any], inputs: type[_Inputs]) -> tuple[GeoDns, _Inputs]:
    """The model, and what the server needs besides. Raises InputPropertiesError for what is
    refused."""
    own = {name: args[name] for name in inputs.model_fields if name in args}
    rest = {name: value for name, value in args.items() if name not in own}
    return checked(GeoDns, rest), checked(inputs, own)
