"""The instances of KATO that a client knows, and which of them owns a session."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from kato_balancing import kato

if TYPE_CHECKING:
    from kato_balancing.placement import Ring

Program = Literal["nginx", "haproxy"]


@dataclass(frozen=True, slots=True)
class Instance:
    """One KATO process and where it is.

    ``name`` is its place on HAProxy's ring, default: its host. ``balancer_address`` is its place
    on nginx's ring: the ``host:port`` by which the balancer's configuration knows it, default: that
    of ``url``; or the host alone where nginx finds the servers by SRV records, as on Kubernetes.
    Both must be the balancer's, or the client places sessions differently.
    """

    url: str
    name: str = ""
    balancer_address: str = ""


Instances = Iterable[str | Instance] | Mapping[str, str]
"""URLs, or instances, or name → URL."""


def listed(instances: Instances) -> tuple[Instance, ...]:
    """The instances with their names filled in. Raises ValueError when there is none, or when
    a URL or a name is wrong or twice there."""
    if isinstance(instances, str):
        raise ValueError("instances must be a list of URLs, not one text")
    given: list[Instance]
    if isinstance(instances, Mapping):
        given = [Instance(url, name) for name, url in instances.items()]
    else:
        given = [Instance(one) if isinstance(one, str) else one for one in instances]
    if not given:
        raise ValueError("there must be at least one instance")
    hosts = [_host_and_port(one.url) for one in given]
    shared = len({host for host, _ in hosts}) < len(hosts)
    found = tuple(
        Instance(one.url.rstrip("/"), one.name or _name(*place, shared), one.balancer_address)
        for one, place in zip(given, hosts, strict=True)
    )
    if 0 < sum(map(_found_by_srv, found)) < len(found):
        raise ValueError(
            "either every balancer_address has a port, or none has: nginx finds all "
            "servers by SRV records, or none"
        )
    for what, values in (("name", [i.name for i in found]), ("URL", [i.url for i in found])):
        if twice := {value for value in values if values.count(value) > 1}:
            raise ValueError(f"each instance needs its own {what}: {sorted(twice)[0]} is twice")
    return found


def _host_and_port(url: str) -> tuple[str, int]:
    refusal = f"{url!r} is no URL such as http://kato-1:{kato.PORT}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{refusal} ({error})") from None
    if parts.scheme not in ("http", "https") or not host or parts.path not in ("", "/"):
        raise ValueError(refusal)
    return host, port or (443 if parts.scheme == "https" else 80)


def _name(host: str, port: int, shared: bool) -> str:
    text = f"{host}-{port}" if shared else host
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")[:63]


class Placement:
    """Owners of sessions as the balancers compute them: of all instances, or of those left."""

    def __init__(self, instances: tuple[Instance, ...], program: Program = "nginx") -> None:
        # On first use: the balancing model takes longer to import than the rest of the client.
        from kato_balancing.model import Balancer  # noqa: PLC0415
        from kato_balancing.placement import ring_of  # noqa: PLC0415
        from kato_balancing.placement.nginx_ring import NginxRing  # noqa: PLC0415

        self.names = tuple(one.name for one in instances)
        self._rings: dict[frozenset[str], Ring] = {}

        def make(left: list[Instance]) -> "Ring":
            if program == "nginx" and _found_by_srv(left[0]):
                return NginxRing.found({one.name: one.balancer_address for one in left})
            servers = [_server(one) for one in left]
            return ring_of(Balancer.of({"pool": {"servers": servers}}), program)

        self._instances = instances
        self._ring = make
        self._whole = self._ring_without(frozenset())

    def owner(self, session: str, without: frozenset[str] = frozenset()) -> str | None:
        """The instance that owns the session when those in ``without`` are down; None when
        all are."""
        if not without:
            return self._whole.owner(session)
        if without.issuperset(self.names):
            return None
        return self._ring_without(without).owner(session)

    def _ring_without(self, without: frozenset[str]) -> "Ring":
        ring = self._rings.get(without)
        if ring is None:
            left = [one for one in self._instances if one.name not in without]
            # At most one ring for each set of instances that were down at once.
            ring = self._rings[without] = self._ring(left)
        return ring


def _found_by_srv(instance: Instance) -> bool:
    """True when nginx knows the instance by a host from DNS, without a port."""
    return bool(instance.balancer_address) and not re.search(r":\d+$", instance.balancer_address)


def _server(instance: Instance) -> dict[str, object]:
    host, port = _host_and_port(instance.url)
    if instance.balancer_address:
        host, port = _host_and_port(f"http://{instance.balancer_address}")
    return {"name": instance.name, "host": host, "port": port}
