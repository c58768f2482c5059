"""Which sessions HAProxy gives a canary: those whose avalanched CRC-32 leaves a remainder below the
share, as :mod:`kato_balancing.haproxy` compares them.
"""

import re
import zlib

from kato_balancing.haproxy_pools import SHARES_PER_PERCENT
from kato_balancing.model import Canary
from kato_balancing.placement.haproxy_ring import mixed


def takes(canary: Canary, session: str) -> bool:
    """True when the session's requests go to the canary's pool."""
    birth = re.search(r"(?:^|-)(\d+)$", session)
    share = canary.share_at(birth and int(birth[1]))
    place = mixed(zlib.crc32(session.encode())) % (100 * SHARES_PER_PERCENT)
    return place < round(share * SHARES_PER_PERCENT)
