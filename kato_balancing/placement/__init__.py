"""Which server owns a session, computed as the balancer does it, and what a change moves.

>>> from kato_balancing.model import Balancer
>>> from kato_balancing.placement import ring_of
>>> servers = [{"name": f"kato-{i}", "host": f"kato-{i}"} for i in range(3)]
>>> ring_of(Balancer.of({"pool": {"servers": servers}}), "nginx").owner("session-1")
'kato-1'
"""

from kato_balancing.placement.figures import Balance, Move, balance, moved
from kato_balancing.placement.ring import NotPredictable, Ring, ring_of

__all__ = ["Balance", "Move", "NotPredictable", "Ring", "balance", "moved", "ring_of"]
