"""nginx's ``hash ... consistent``: 160 points for each unit of weight, and the next point owns.

A server's points follow from the text of its ``server`` line, ``host:port``: each is the CRC-32 of
host, NUL, port and the point before it (the form of Cache::Memcached::Fast). Of equal points the
first server's stays. A server that DNS found has the name in its SRV record instead, and no port
(measured on 1.30).
"""

import bisect
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from kato_balancing.hosts import bracketed
from kato_balancing.model import Pool, Server
from kato_balancing.nginx_pools import RING_WEIGHT, ring_weights

POINTS = 160
"""Points for each unit of weight."""

_CIRCLE = 2**32

ATTEMPTS = 20
"""Points of servers that are down that nginx passes over before it gives up the ring."""


@dataclass(frozen=True)
class _Entry:
    """One server of the ring. ``place``: what its points follow from."""

    name: str
    place: bytes
    weight: int
    down: bool = False

    def points(self) -> Iterator[int]:
        base, point = zlib.crc32(self.place), 0
        for _ in range(POINTS * self.weight):
            point = zlib.crc32(point.to_bytes(4, "little"), base)
            yield point


class NginxRing:
    """The owners in nginx. Make it with :meth:`of` or :meth:`found`."""

    def __init__(self, entries: Iterable[_Entry]) -> None:
        primaries = list(entries)
        # A draining server is "down": its points stay, and are passed over.
        self._down = {entry.name for entry in primaries if entry.down}
        owners: dict[int, str] = {}
        for entry in primaries:
            for point in entry.points():
                owners.setdefault(point, entry.name)
        self._points = sorted(owners)
        self._owners = [owners[point] for point in self._points]
        self._servers = tuple(entry.name for entry in primaries if not entry.down)
        self._only = primaries[0].name if len(primaries) == 1 else None

    @classmethod
    def of(cls, pool: Pool) -> "NginxRing":
        """The ring of a pool that lists its servers."""
        weights = ring_weights(pool)
        return cls(
            _Entry(server.name, _place(server), weights[server.name], server.draining)
            for server in pool.servers
            if not server.backup
        )

    @classmethod
    def found(cls, hosts: Mapping[str, str]) -> "NginxRing":
        """The ring of the servers whose SRV records name these hosts: server → host."""
        return cls(
            _Entry(name, b"%s\0" % host.encode(), RING_WEIGHT) for name, host in hosts.items()
        )

    @property
    def servers(self) -> tuple[str, ...]:
        """Names of the servers that may own sessions."""
        return self._servers

    def owner(self, session: str) -> str | None:
        """The server of the first point at or after the session's hash that is not down."""
        if self._only is not None:
            return self._only
        return self._owner_from(bisect.bisect_left(self._points, zlib.crc32(session.encode())))

    def shares(self) -> dict[str, float]:
        """Part of all hashes that each server owns; in the pool's order."""
        sizes = dict.fromkeys(self._servers, 0)
        closed = pairwise((self._points[-1] - _CIRCLE, *self._points))
        for place, (before, point) in enumerate(closed):
            name = self._owner_from(place)
            if name is not None:
                sizes[name] += point - before
        return {name: size / _CIRCLE for name, size in sizes.items()}

    def _owner_from(self, place: int) -> str | None:
        for step in range(ATTEMPTS + 1):
            name = self._owners[(place + step) % len(self._owners)]
            if name not in self._down:
                return name
        return None


def _place(server: Server) -> bytes:
    return b"%s\0%d" % (bracketed(server.host).encode(), server.port)
