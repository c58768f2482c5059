"""The ring of a balancer, whichever program runs it."""

from typing import Literal, Protocol

from kato_balancing.fields import Affinity
from kato_balancing.model import Balancer
from kato_balancing.placement.haproxy_ring import HaproxyRing
from kato_balancing.placement.nginx_ring import NginxRing

Program = Literal["nginx", "haproxy"]


class NotPredictable(ValueError):  # noqa: N818 - a refusal, not a fault
    """Who owns a session does not follow from the balancer's settings alone.

    ``path`` is the setting because of which it does not.
    """

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        self.message = message
        super().__init__(f"{path}: {message}")


class Ring(Protocol):
    """Owners by hash: the same for every session, as long as the servers stay the same."""

    @property
    def servers(self) -> tuple[str, ...]:
        """Names of the servers that may own sessions, in the pool's order."""

    def owner(self, session: str) -> str | None:
        """Name of the server that the session's requests reach while all servers are up; None
        when the balancer gives up the ring for this session (nginx, with nearly every server
        draining)."""


def ring_of(balancer: Balancer, program: Program) -> Ring:
    """The ring that the balancer's configuration makes in ``program``.

    It says where sessions go without a learned table, or before the table knows them. Raises
    NotPredictable when there is no ring: another affinity, or servers that only DNS knows.
    """
    if balancer.affinity is not Affinity.SESSION:
        raise NotPredictable(
            "affinity", f"only SESSION has owners of sessions (got {balancer.affinity})"
        )
    if balancer.pool.discovery is not None:
        raise NotPredictable(
            "pool.discovery", "who the servers are is known to DNS only; list them in pool.servers"
        )
    if balancer.canary is not None:
        raise NotPredictable(
            "canary", "owners are computed for one pool; leave the canary out, or give it as a pool"
        )
    return NginxRing(balancer.pool) if program == "nginx" else HaproxyRing(balancer.pool)
