"""nginx's ``hash ... consistent``: 160 points for each unit of weight, and the next point owns.

A server's points follow from the text of its ``server`` line, ``host:port``: each is the CRC-32 of
host, NUL, port and the point before it (the form of Cache::Memcached::Fast). Of equal points the
first server's stays.
"""

import bisect
import zlib
from collections.abc import Iterator

from kato_balancing import nginx_pools
from kato_balancing.model import Pool, Server

POINTS = 160
"""Points for each unit of weight."""

ATTEMPTS = 20
"""Points of servers that are down that nginx passes over before it gives up the ring."""


class NginxRing:
    """The owners in nginx."""

    def __init__(self, pool: Pool) -> None:
        primaries = [server for server in pool.servers if not server.backup]
        # A draining server is "down": its points stay, and are passed over.
        self._down = {server.name for server in primaries if server.draining}
        owners: dict[int, str] = {}
        for server in primaries:
            for point in _points(server):
                owners.setdefault(point, server.name)
        self._points = sorted(owners)
        self._owners = [owners[point] for point in self._points]
        self._servers = tuple(s.name for s in primaries if not s.draining)
        self._only = primaries[0].name if len(primaries) == 1 else None

    @property
    def servers(self) -> tuple[str, ...]:
        """Names of the servers that may own sessions."""
        return self._servers

    def owner(self, session: str) -> str | None:
        """The server of the first point at or after the session's hash that is not down."""
        if self._only is not None:
            return self._only
        place = bisect.bisect_left(self._points, zlib.crc32(session.encode()))
        for step in range(ATTEMPTS + 1):
            name = self._owners[(place + step) % len(self._owners)]
            if name not in self._down:
                return name
        return None


def _points(server: Server) -> Iterator[int]:
    host = f"[{server.host}]" if ":" in server.host else server.host
    base = zlib.crc32(b"%s\0%d" % (host.encode(), server.port))
    point = 0
    for _ in range(POINTS * server.weight * nginx_pools.RING_WEIGHT):
        point = zlib.crc32(point.to_bytes(4, "little"), base)
        yield point
