"""The ring of a balancer, whichever program runs it."""

from collections.abc import Mapping
from typing import Literal, Protocol

from kato_balancing.fields import Affinity
from kato_balancing.model import Balancer, Canary, Pool
from kato_balancing.placement import haproxy_canary, nginx_canary
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

    def shares(self) -> Mapping[str, float]:
        """Part of the new sessions that each server is to get, 0 to 1; in the pool's order."""


def ring_of(
    balancer: Balancer,
    program: Program,
    found: Mapping[str, str] | None = None,
    canary_found: Mapping[str, str] | None = None,
) -> Ring:
    """The ring that the balancer's configuration makes in ``program``.

    ``found`` says which servers nginx finds by ``pool.discovery``: server → the host that its SRV
    record names, such as ``kato-0`` → ``kato-0.kato-replicas.kato.svc.cluster.local``;
    ``canary_found`` the same of ``canary.pool.discovery``. A pool that lists its servers needs
    none.

    It says where sessions go without a learned table, or before the table knows them. Raises
    NotPredictable when there is no ring: another affinity, or servers that only DNS knows.
    """
    if balancer.affinity is not Affinity.SESSION:
        raise NotPredictable(
            "affinity", f"only SESSION has owners of sessions (got {balancer.affinity})"
        )
    stable = _ring("pool", balancer.pool, program, found or {})
    if balancer.canary is None:
        return stable
    new = _ring("canary.pool", balancer.canary.pool, program, canary_found or {})
    if both := set(stable.servers) & set(new.servers):
        raise NotPredictable(
            "canary.pool", f"needs names that pool has not: {sorted(both)[0]} is in both"
        )
    return _WithCanary(balancer.canary, program, stable, new)


def _ring(path: str, pool: Pool, program: Program, found: Mapping[str, str]) -> Ring:
    if pool.discovery is None:
        return NginxRing.of(pool) if program == "nginx" else HaproxyRing(pool)
    if program == "haproxy":
        cure = f"list them in {path}.servers"
    elif found:
        return NginxRing.found(found)
    else:
        option = "--found" if path == "pool" else "--canary-found"
        cure = f"say what it finds (kato-lb place {option})"
    raise NotPredictable(f"{path}.discovery", f"who the servers are is known to DNS only; {cure}")


class _WithCanary:
    """The rings of two pools, and who goes to which."""

    def __init__(self, canary: Canary, program: Program, stable: Ring, new: Ring) -> None:
        self._canary, self._stable, self._new = canary, stable, new
        self._takes = (nginx_canary if program == "nginx" else haproxy_canary).takes

    @property
    def servers(self) -> tuple[str, ...]:
        return (*self._stable.servers, *self._new.servers)

    def owner(self, session: str) -> str | None:
        ring = self._new if self._takes(self._canary, session) else self._stable
        return ring.owner(session)

    def shares(self) -> dict[str, float]:
        canary = self._canary.share / 100
        return {
            name: part * share
            for ring, part in ((self._stable, 1 - canary), (self._new, canary))
            for name, share in ring.shares().items()
        }
