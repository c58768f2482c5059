"""HAProxy's ``hash-type consistent crc32 avalanche``: 16 points for each unit of weight, and the
nearest point owns, before or after.

A server's points follow from its ``id``. Draining servers are ``disabled`` and have none.
"""

import bisect
import zlib

from kato_balancing.haproxy_identity import ring_weights, server_ids
from kato_balancing.model import Pool

POINTS = 16
"""Points for each unit of weight."""

_KEYS_PER_ID = 4096
_CIRCLE = 2**32


class HaproxyRing:
    """The owners in HAProxy."""

    def __init__(self, pool: Pool) -> None:
        ids, weights = server_ids(pool), ring_weights(pool)
        owners = {
            mixed(ids[server.name] * _KEYS_PER_ID + point): server.name
            for server in pool.primaries
            for point in range(POINTS * weights[server.name])
        }
        self._points = sorted(owners)
        self._owners = [owners[point] for point in self._points]
        self._servers = tuple(server.name for server in pool.primaries)

    @property
    def servers(self) -> tuple[str, ...]:
        """Names of the servers that may own sessions."""
        return self._servers

    def owner(self, session: str) -> str:
        """The server of the point that is nearest to the session's hash."""
        place = mixed(zlib.crc32(session.encode()))
        after = bisect.bisect_left(self._points, place) % len(self._points)
        before = after - 1  # -1 is the last one: the ring is closed
        to_before = (place - self._points[before]) % _CIRCLE
        to_after = (self._points[after] - place) % _CIRCLE
        return self._owners[before if to_before <= to_after else after]

    def shares(self) -> dict[str, float]:
        """Part of all hashes that each server owns; in the pool's order."""
        sizes = dict.fromkeys(self._servers, 0)
        closed = (self._points[-1] - _CIRCLE, *self._points, self._points[0] + _CIRCLE)
        for name, before, after in zip(self._owners, closed, closed[2:], strict=False):
            sizes[name] += after - before
        # A point owns half of what lies between its neighbours.
        return {name: size / 2 / _CIRCLE for name, size in sizes.items()}


def mixed(value: int) -> int:
    """HAProxy's full avalanche in 32 bits: Bob Jenkins' integer mix, then times a large prime."""
    value = (value + 0x7ED55D16 + (value << 12)) % _CIRCLE
    value = value ^ 0xC761C23C ^ (value >> 19)
    value = (value + 0x165667B1 + (value << 5)) % _CIRCLE
    value = ((value + 0xD3A2646C) ^ (value << 9)) % _CIRCLE
    value = (value + 0xFD7046C5 + (value << 3)) % _CIRCLE
    value = value ^ 0xB55A4F09 ^ (value >> 16)
    return value * 3221225473 % _CIRCLE
