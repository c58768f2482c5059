"""Health checks in the background or on demand, for threads and for asyncio."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import httpx

from kato_balancing.client._health_state import Check, HealthSettings, HealthTable, Listener
from kato_balancing.client._pacing import full_jitter
from kato_balancing.client.instances import Instances, listed


class _Base:
    """What both checkers offer besides checking."""

    def __init__(
        self,
        instances: Instances,
        settings: HealthSettings | None = None,
        *,
        table: HealthTable | None = None,
    ) -> None:
        self._urls = {one.name: one.url for one in listed(instances)}
        self._names = {url: name for name, url in self._urls.items()}
        self.table = table or HealthTable(self._urls, settings)

    @property
    def health_status(self) -> dict[str, bool]:
        """URL → up or down."""
        return {url: self.table.is_up(name) for name, url in self._urls.items()}

    def get_healthy_instances(self) -> list[str]:
        """URLs of the instances to use; all of them when all look dead."""
        return [self._urls[name] for name in self.table.healthy()]

    def listen(self, listener: Listener) -> None:
        """Call ``listener(name, is_up)`` whenever an instance goes down or comes back."""
        self.table.listen(listener)

    def _limits(self) -> httpx.Timeout:
        return httpx.Timeout(self.table.settings.timeout)

    def _address(self, name: str) -> str:
        return self._urls[name] + self.table.settings.path


def _judged(status: int, seconds: float) -> Check:
    return Check(status == 200, "" if status == 200 else f"HTTP {status}", seconds)


class HealthChecker(_Base):
    """Checks instances at the same time, each in a thread of its own.

    >>> with HealthChecker(["http://kato-1:8000", "http://kato-2:8000"]) as checker:
    ...     checker.get_healthy_instances()  # doctest: +SKIP

    ``settings`` default to :class:`HealthSettings`; ``transport`` replaces the network in tests.
    As a context manager it checks in the background; :meth:`run_checks` checks once, now.
    """

    def __init__(
        self,
        instances: Instances,
        settings: HealthSettings | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        table: HealthTable | None = None,
    ) -> None:
        super().__init__(instances, settings, table=table)
        self._transport = transport
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def check_instance(self, instance: str) -> bool:
        """Check one instance now, by name or URL; its answer counts once. Returns what this one
        check said, which alone changes nothing (see ``rise`` and ``fall``)."""
        name = self._names.get(instance.rstrip("/"), instance)
        with self._client() as client:
            return self._check(client, name)

    def run_checks(self) -> dict[str, bool]:
        """Check all once, at the same time, within one check's timeout. URL → up or down."""
        with ThreadPoolExecutor(len(self._urls)) as pool:
            list(pool.map(self.check_instance, self._urls))
        return self.health_status

    def start(self) -> None:
        """Check in the background until :meth:`close`."""
        if self._threads:
            return
        self._stop.clear()
        self._threads = [
            threading.Thread(target=self._watch, args=(name,), name=f"health-{name}", daemon=True)
            for name in self._urls
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the background checks; waits for a check that is under way, at most its timeout."""
        self._stop.set()
        for thread in self._threads:
            thread.join(self.table.settings.timeout + 1)
        self._threads = []

    def _watch(self, name: str) -> None:
        with self._client() as client:
            while not self._stop.is_set():
                self._check(client, name)
                self._stop.wait(self.table.pause(name, full_jitter()))

    def _check(self, client: httpx.Client, name: str) -> bool:
        began = time.monotonic()
        try:
            answer = client.get(self._address(name))
            check = _judged(answer.status_code, time.monotonic() - began)
        except httpx.HTTPError as error:
            check = Check(False, type(error).__name__, time.monotonic() - began)
        self.table.report(name, check)
        return check.ok

    def _client(self) -> httpx.Client:
        # A new connection for each check: a kept one proves less, and KATO closes it after 5 s.
        limits = httpx.Limits(max_keepalive_connections=0)
        transport = self._transport or httpx.HTTPTransport(limits=limits)
        return httpx.Client(transport=transport, timeout=self._limits())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncHealthChecker(_Base):
    """:class:`HealthChecker` for asyncio: a task for each instance."""

    def __init__(
        self,
        instances: Instances,
        settings: HealthSettings | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        table: HealthTable | None = None,
    ) -> None:
        super().__init__(instances, settings, table=table)
        self._transport = transport
        self._tasks: list[asyncio.Task[None]] = []

    async def check_instance(self, instance: str) -> bool:
        """See :meth:`HealthChecker.check_instance`."""
        name = self._names.get(instance.rstrip("/"), instance)
        async with self._client() as client:
            return await self._check(client, name)

    async def run_checks(self) -> dict[str, bool]:
        """See :meth:`HealthChecker.run_checks`."""
        await asyncio.gather(*map(self.check_instance, self._urls))
        return self.health_status

    async def start(self) -> None:
        """Check in the background until :meth:`close`."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._watch(name)) for name in self._urls]

    async def close(self) -> None:
        """End the background checks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _watch(self, name: str) -> None:
        async with self._client() as client:
            while True:
                await self._check(client, name)
                await asyncio.sleep(self.table.pause(name, full_jitter()))

    async def _check(self, client: httpx.AsyncClient, name: str) -> bool:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.table.settings.timeout):
                answer = await client.get(self._address(name))
            check = _judged(answer.status_code, time.monotonic() - began)
        except (httpx.HTTPError, TimeoutError) as error:
            check = Check(False, type(error).__name__, time.monotonic() - began)
        self.table.report(name, check)
        return check.ok

    def _client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_keepalive_connections=0)
        transport = self._transport or httpx.AsyncHTTPTransport(limits=limits)
        return httpx.AsyncClient(transport=transport, timeout=self._limits())

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
