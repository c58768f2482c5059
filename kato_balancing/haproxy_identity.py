"""Who a server is to HAProxy: its id on the ring and its weight there.

Both follow from the server's name and weight alone, never from its place in the list:
HAProxy numbers servers without an ``id`` by position, and then a server that leaves the list
moves the sessions of others.
"""

import zlib

from kato_balancing.model import Pool

IDS = 2**20 - 1
"""Ids are 1 to this. HAProxy gives a server 4,096 hash keys from its id on, in 32 bits: below
2**20 no two servers can share a key."""

HEAVIEST = 256
"""HAProxy's largest weight: 4,096 points on the ring. In 200 drawn pools each of 3, 4, 7 and 10
equal servers the fullest owned at most 1.04 of the mean with it, and 1.69 with weight 1."""


def server_ids(pool: Pool) -> dict[str, int]:
    """Id of every server by its name.

    Two names may hash to one id (10 servers: 1 in 23,000). The shorter name keeps it, of two
    equally long ones the lesser, and the other takes the next free hash: a replica that is added
    with the next number leaves the ids of the older ones alone.
    """
    ids: dict[str, int] = {}
    taken: set[int] = set()
    for name in sorted((s.name for s in pool.servers), key=lambda name: (len(name), name)):
        attempt = 0
        while (chosen := _id(name, attempt)) in taken:
            attempt += 1
        taken.add(chosen)
        ids[name] = chosen
    return ids


def ring_weights(pool: Pool) -> dict[str, int]:
    """HAProxy weight of every server by its name: the model's weights, scaled up together as far
    as HAProxy allows. Weights above 16 leave the lightest servers few points."""
    return pool.scaled_weights(HEAVIEST, HEAVIEST)


def _id(name: str, attempt: int) -> int:
    return zlib.crc32(f"{name}/{attempt}".encode()) % IDS + 1
