"""Clients with failover that is safe for KATO."""

import importlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from kato_balancing.client import _calls
from kato_balancing.client._pool import InstanceState
from kato_balancing.client.hooks import Hook
from kato_balancing.client.instances import Instances
from kato_balancing.client.policy import Policy
from kato_balancing.client.transport import DEADLINE, AsyncKatoTransport, KatoTransport

if TYPE_CHECKING:
    from kato_balancing.client.session import AsyncKatoSession, KatoSession
    from kato_balancing.client.session_events import KatoEvent

BASE: str = "http://kato"
"""Stands for whichever instance a request goes to."""


def _extensions(timeout: float | None) -> dict[str, Any]:
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout must be positive, not {timeout}")
    return {} if timeout is None else {DEADLINE: timeout}


class FailoverClient:
    """KATO over several instances, or through a balancer.

    >>> with FailoverClient(["http://kato-1:8000", "http://kato-2:8000"]) as client:
    ...     with client.session("user-123") as session:  # doctest: +SKIP
    ...         session.observe(["hello"])

    ``instances`` are URLs, :class:`Instance` objects or name → URL; ``policy`` has all numbers
    (default: :class:`Policy`); ``hooks`` get a :class:`CallEvent` for every attempt and decision.
    ``region``: the region of these instances, sent with every request.
    ``transport`` replaces the network, ``health_transport`` that of the health checks.
    Thread-safe: share one client. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        instances: Instances,
        policy: Policy | None = None,
        *,
        hooks: tuple[Hook, ...] = (),
        region: str | None = None,
        transport: httpx.BaseTransport | None = None,
        health_transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = KatoTransport(
            instances,
            policy,
            hooks=hooks,
            region=region,
            inner=transport,
            health_transport=health_transport,
        )
        # The transport has its own limits: a deadline for each call.
        self._client = httpx.Client(base_url=BASE, transport=self._transport, timeout=None)  # noqa: S113

    def request(
        self, method: str, path: str, *, timeout: float | None = None, **more: Any
    ) -> httpx.Response:
        """Send a request; ``more`` is httpx' (``json``, ``params``, ``headers`` ...).

        ``timeout`` is the deadline in seconds, everything included; default: the policy's. Answers
        come back whatever their status. Raises the errors of
        :mod:`kato_balancing.client.errors`.
        """
        return self._client.request(method, path, extensions=_extensions(timeout), **more)

    def request_with_failover(self, method: str, path: str, **more: Any) -> httpx.Response:
        """:meth:`request`, raising :class:`httpx.HTTPStatusError` for 4xx and 5xx."""
        return self.request(method, path, **more).raise_for_status()

    def call(self, call: _calls.Call, session: str | None, timeout: float | None) -> dict[str, Any]:
        """Make one of KATO's calls; for the session handle."""
        response = self.request(
            call.method, call.path, timeout=timeout, json=call.body, params=call.params or None
        )
        return _calls.result(response, session)

    def create_session(
        self,
        node_id: str,
        *,
        config: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        ttl_seconds: int | None = None,
        timeout: float | None = None,
    ) -> str:
        """A new session's id. Its instance follows from the id; ids are drawn until that
        instance is a good one (see ``Policy.steer``)."""
        call = _calls.create(node_id, config, metadata, ttl_seconds)
        return str(self.call(call, None, timeout)["session_id"])

    @contextmanager
    def session(self, node_id: str, **more: Any) -> "Iterator[KatoSession]":
        """A new session that is deleted at the end; ``more`` as for :meth:`create_session`."""
        session = self.attach(self.create_session(node_id, **more))
        try:
            yield session
        finally:
            session.close()

    def attach(self, session_id: str) -> "KatoSession":
        """A handle of a session that exists."""
        module = importlib.import_module("kato_balancing.client.session")
        session: KatoSession = module.KatoSession(self, session_id)
        return session

    def states(self) -> list[InstanceState]:
        """The instances as they are now."""
        return self._transport.states()

    def owner(self, session_id: str) -> str | None:
        """Name of the instance that a session's calls go to now."""
        return self._transport.parts.core.pool.owner(session_id)

    def get_healthy_instances(self) -> list[str]:
        """URLs of the instances that get calls."""
        pool = self._transport.parts.core.pool
        return [pool.instances[name].url for name in pool.serving()]

    def events(self, *, seconds: float | None = None) -> "Iterator[KatoEvent]":
        """Session events of all instances, each once; ends after ``seconds``, by default never.
        Needs the extra ``events``."""
        module = importlib.import_module("kato_balancing.client.session_events")
        found: Iterator[KatoEvent] = module.sync_events(
            [*self._transport.parts.core.pool.instances.values()], seconds=seconds
        )
        return found

    def start(self) -> None:
        """Begin the health checks now instead of with the first request."""
        self._transport.start()

    def close(self) -> None:
        """End the health checks and close all connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncFailoverClient:
    """:class:`FailoverClient` for asyncio; one event loop only."""

    def __init__(
        self,
        instances: Instances,
        policy: Policy | None = None,
        *,
        hooks: tuple[Hook, ...] = (),
        region: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        health_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._transport = AsyncKatoTransport(
            instances,
            policy,
            hooks=hooks,
            region=region,
            inner=transport,
            health_transport=health_transport,
        )
        self._client = httpx.AsyncClient(
            base_url=BASE,
            transport=self._transport,
            timeout=None,  # noqa: S113
        )

    async def request(
        self, method: str, path: str, *, timeout: float | None = None, **more: Any
    ) -> httpx.Response:
        """See :meth:`FailoverClient.request`."""
        return await self._client.request(method, path, extensions=_extensions(timeout), **more)

    async def request_with_failover(self, method: str, path: str, **more: Any) -> httpx.Response:
        """See :meth:`FailoverClient.request_with_failover`."""
        return (await self.request(method, path, **more)).raise_for_status()

    async def call(
        self, call: _calls.Call, session: str | None, timeout: float | None
    ) -> dict[str, Any]:
        """Make one of KATO's calls; for the session handle."""
        response = await self.request(
            call.method, call.path, timeout=timeout, json=call.body, params=call.params or None
        )
        return _calls.result(response, session)

    async def create_session(
        self,
        node_id: str,
        *,
        config: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        ttl_seconds: int | None = None,
        timeout: float | None = None,
    ) -> str:
        """See :meth:`FailoverClient.create_session`."""
        call = _calls.create(node_id, config, metadata, ttl_seconds)
        return str((await self.call(call, None, timeout))["session_id"])

    @asynccontextmanager
    async def session(self, node_id: str, **more: Any) -> "AsyncIterator[AsyncKatoSession]":
        """See :meth:`FailoverClient.session`."""
        session = self.attach(await self.create_session(node_id, **more))
        try:
            yield session
        finally:
            await session.close()

    def attach(self, session_id: str) -> "AsyncKatoSession":
        """A handle of a session that exists."""
        module = importlib.import_module("kato_balancing.client.session")
        session: AsyncKatoSession = module.AsyncKatoSession(self, session_id)
        return session

    def states(self) -> list[InstanceState]:
        """The instances as they are now."""
        return self._transport.states()

    def owner(self, session_id: str) -> str | None:
        """Name of the instance that a session's calls go to now."""
        return self._transport.parts.core.pool.owner(session_id)

    def get_healthy_instances(self) -> list[str]:
        """URLs of the instances that get calls."""
        pool = self._transport.parts.core.pool
        return [pool.instances[name].url for name in pool.serving()]

    def events(self) -> "AsyncIterator[KatoEvent]":
        """See :meth:`FailoverClient.events`; ends when its reader does."""
        module = importlib.import_module("kato_balancing.client.session_events")
        found: AsyncIterator[KatoEvent] = module.async_events(
            [*self._transport.parts.core.pool.instances.values()]
        )
        return found

    async def start(self) -> None:
        """Begin the health checks now instead of with the first request."""
        await self._transport.start()

    async def close(self) -> None:
        """End the health checks and close all connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
