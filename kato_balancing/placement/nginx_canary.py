"""Which sessions nginx's ``split_clients`` gives a canary: those whose MurmurHash2 is in the first
part of the circle, a share of it in hundredths of a percent.
"""

import re

from kato_balancing.model import Canary

_CIRCLE = 2**32
_LAST = _CIRCLE - 1
_FACTOR = 0x5BD1E995


def takes(canary: Canary, session: str) -> bool:
    """True when the session's requests go to the canary's pool."""
    # The map that stands for the comparison knows numbers with as many digits as a birth has only.
    birth = re.search(r"-(\d{13})$", session)
    hundredths = round(canary.share_at(birth and int(birth[1])) * 100)
    if hundredths == 100 * 100:
        return True
    return murmur2(session.encode()) < hundredths * _LAST // (100 * 100)


def murmur2(data: bytes) -> int:
    """MurmurHash2 by Austin Appleby, in 32 bits with seed 0."""
    whole = len(data) // 4 * 4
    state = len(data)
    for place in range(0, whole, 4):
        word = int.from_bytes(data[place : place + 4], "little") * _FACTOR % _CIRCLE
        word = (word ^ word >> 24) * _FACTOR % _CIRCLE
        state = state * _FACTOR % _CIRCLE ^ word
    if rest := data[whole:]:
        state = (state ^ int.from_bytes(rest, "little")) * _FACTOR % _CIRCLE
    state = (state ^ state >> 13) * _FACTOR % _CIRCLE
    return state ^ state >> 15
