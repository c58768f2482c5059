"""Regions: a new session in the nearest one that serves, a live session in the one it was born in.

A region is a KATO of its own, with its own store. A session exists in that store only, so another
region cannot continue it; the handle carries the region, and a region that is down says so.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from kato_balancing.client.errors import NoInstance, OutOfTime, RegionDown
from kato_balancing.client.failover import AsyncFailoverClient, FailoverClient
from kato_balancing.client.hooks import Hook
from kato_balancing.client.instances import Instances
from kato_balancing.client.policy import Policy
from kato_balancing.client.session import AsyncKatoSession, KatoSession

RegionInstances = Mapping[str, Instances | str]
"""Region → its instances, or the URL of its balancer."""


def order(nearest: Sequence[str], regions: Sequence[str]) -> tuple[str, ...]:
    """The regions, nearest first; those not in ``nearest`` follow in their own order. Raises
    ValueError for a region that does not exist."""
    for name in nearest:
        if name not in regions:
            raise ValueError(f"no region {name!r}; there are {', '.join(regions)}")
    return tuple(dict.fromkeys((*nearest, *regions)))


def serving(order_: Sequence[str], down: Mapping[str, bool]) -> tuple[str, ...]:
    """Regions to try for a new session: those that are up, in order, then the others: health is
    a guess, a connection is a proof."""
    return tuple(sorted(order_, key=lambda name: down[name]))


def split(handle: str, regions: Sequence[str]) -> tuple[str, str]:
    """Region and id of a handle. Raises ValueError when it has no region or an unknown one."""
    region, slash, session = handle.partition("/")
    if not slash or region not in regions:
        raise ValueError(f"{handle!r} names no region; there are {', '.join(regions)}")
    return region, session


def _instances(given: Instances | str) -> Instances:
    return [given] if isinstance(given, str) else given


class _Regions:
    """What both twins decide."""

    def __init__(self, regions: RegionInstances, nearest: Sequence[str]) -> None:
        if not regions:
            raise ValueError("there must be at least one region")
        if bad := [name for name in regions if not name or "/" in name]:
            raise ValueError(f"a region's name must not be empty or have a slash: {bad[0]!r}")
        self.order = order(nearest, tuple(regions))

    def tried(self, clients: Mapping[str, FailoverClient | AsyncFailoverClient]) -> tuple[str, ...]:
        down = {name: not _is_up(client) for name, client in clients.items()}
        return serving(self.order, down)


def _is_up(client: FailoverClient | AsyncFailoverClient) -> bool:
    return any(state.up for state in client.states())


def _region_down(region: str, session: str | None) -> RegionDown:
    return RegionDown(
        f"region {region} does not serve; its sessions go on when it is back", session=session
    )


class Regions:
    """Clients of several regions.

    >>> places = {"eu-west": ["http://kato-eu:8080"], "us-east": ["http://kato-us:8080"]}
    >>> regions = Regions(places, nearest=["eu-west"])

    ``nearest`` orders the regions for new sessions; ``policy`` is that of every region's client.
    Health checks begin at once, so that recovery is seen without traffic. Thread-safe.
    """

    def __init__(
        self,
        regions: RegionInstances,
        *,
        nearest: Sequence[str] = (),
        policy: Policy | None = None,
        hooks: tuple[Hook, ...] = (),
        clients: Mapping[str, FailoverClient] | None = None,
    ) -> None:
        self._decide = _Regions(regions, nearest)
        self.clients = dict(clients or {}) or {
            name: FailoverClient(_instances(given), policy, hooks=hooks, region=name)
            for name, given in regions.items()
        }
        for client in self.clients.values():
            client.start()

    def create_session(self, node_id: str, **more: Any) -> KatoSession:
        """A new session in the nearest region that serves. Raises RegionDown when none does."""
        for region in self._decide.tried(self.clients):
            client = self.clients[region]
            try:
                session = client.create_session(node_id, **more)
            except (NoInstance, OutOfTime) as error:
                last: Exception = error
                continue
            return KatoSession(client, session, region)
        raise RegionDown("no region serves") from last

    def attach(self, handle: str) -> KatoSession:
        """The session of a handle (``KatoSession.handle``), in the region it was born in. Raises
        RegionDown while that region does not serve: the session is there and nowhere else."""
        region, session = split(handle, self._decide.order)
        client = self.clients[region]
        if not _is_up(client):
            raise _region_down(region, session)
        return KatoSession(client, session, region)

    def get_instance_for_region(self, region: str) -> str:
        """URL of an instance of the region that serves. Raises ValueError for an unknown region
        and RegionDown; another region is never used instead."""
        split(f"{region}/", self._decide.order)
        client = self.clients[region]
        if not _is_up(client):
            raise _region_down(region, None)
        return client.get_healthy_instances()[0]

    def close(self) -> None:
        """Close all clients."""
        for client in self.clients.values():
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncRegions:
    """:class:`Regions` for asyncio: open it with ``async with``."""

    def __init__(
        self,
        regions: RegionInstances,
        *,
        nearest: Sequence[str] = (),
        policy: Policy | None = None,
        hooks: tuple[Hook, ...] = (),
        clients: Mapping[str, AsyncFailoverClient] | None = None,
    ) -> None:
        self._decide = _Regions(regions, nearest)
        self.clients = dict(clients or {}) or {
            name: AsyncFailoverClient(_instances(given), policy, hooks=hooks, region=name)
            for name, given in regions.items()
        }

    async def create_session(self, node_id: str, **more: Any) -> AsyncKatoSession:
        """See :meth:`Regions.create_session`."""
        for region in self._decide.tried(self.clients):
            client = self.clients[region]
            try:
                session = await client.create_session(node_id, **more)
            except (NoInstance, OutOfTime) as error:
                last: Exception = error
                continue
            return AsyncKatoSession(client, session, region)
        raise RegionDown("no region serves") from last

    def attach(self, handle: str) -> AsyncKatoSession:
        """See :meth:`Regions.attach`."""
        region, session = split(handle, self._decide.order)
        client = self.clients[region]
        if not _is_up(client):
            raise _region_down(region, session)
        return AsyncKatoSession(client, session, region)

    def get_instance_for_region(self, region: str) -> str:
        """See :meth:`Regions.get_instance_for_region`."""
        split(f"{region}/", self._decide.order)
        client = self.clients[region]
        if not _is_up(client):
            raise _region_down(region, None)
        return client.get_healthy_instances()[0]

    async def start(self) -> None:
        """Begin the health checks."""
        for client in self.clients.values():
            await client.start()

    async def close(self) -> None:
        """Close all clients."""
        for client in self.clients.values():
            await client.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
