"""Transports for httpx that know KATO: one for threads, one for asyncio. Only input and output is
here; what to do is decided in ``_core`` and ``_writes``, for both alike."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import lru_cache
from time import monotonic
from typing import Any, Final, NoReturn

import httpx

from kato_balancing.client._commands import (
    Acquire,
    Command,
    Forget,
    Send,
    SendAll,
    SendEither,
    Sleep,
    Steps,
)
from kato_balancing.client._core import Core
from kato_balancing.client._outcomes import Kind, Outcome, of_error, of_response
from kato_balancing.client._pool import InstanceState
from kato_balancing.client.health import AsyncHealthChecker, HealthChecker
from kato_balancing.client.hooks import Hook
from kato_balancing.client.instances import Instances
from kato_balancing.client.policy import Policy
from kato_balancing.headers import REGION_HEADER

DEADLINE: Final = "kato_deadline"
"""Request extension: seconds that the call may take in all. Without it httpx' read timeout counts,
without that the policy's deadline."""

MOST_URLS: Final = 4096
GUARD: Final = 0.05
"""Seconds after which an attempt is cut off that its own limits have not ended."""


class _Limits(dict[str, float]):
    """httpx' timeouts, counted down: each read may take what is left, not all of it again."""

    def __init__(self, limit: float, connect: float) -> None:
        super().__init__(connect=connect, read=limit, write=limit, pool=connect)
        self._until = monotonic() + limit
        self._connect = connect

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ARG002 - dict's own signature
        """Seconds left for this step."""
        left = max(0.001, self._until - monotonic())
        return min(left, self._connect) if key in ("connect", "pool") else left

    @property
    def over(self) -> bool:
        """True when nothing is left."""
        return monotonic() > self._until


class _Base:
    """What both transports have besides the way they wait."""

    def __init__(self, core: Core, region: str | None) -> None:
        self.core = core
        """The decisions; for this package only."""
        self._region = {} if region is None else {REGION_HEADER: region}
        # KATO speaks HTTP/1.1, as do the balancers.
        self._urls = {name: httpx.URL(one.url) for name, one in core.pool.instances.items()}
        self._hosts = {
            name: httpx.Request("GET", url).headers["host"] for name, url in self._urls.items()
        }

        # Parsing a URL takes httpx longer than all decisions here; a session asks for few.
        self._url = lru_cache(MOST_URLS)(self._made_url)

    def _made_url(self, instance: str, target: bytes) -> httpx.URL:
        return self._urls[instance].copy_with(raw_path=target)

    def states(self) -> list[InstanceState]:
        """The instances as they are now: up or down, breaker, calls in flight, latency."""
        return self.core.pool.states()

    @property
    def sessions_held(self) -> int:
        """Sessions with a write whose end is unknown."""
        return self.core.ledgers.pending()

    def _request(self, command: Send, limits: _Limits) -> httpx.Request:
        headers = httpx.Headers(command.headers)
        headers["host"] = self._hosts[command.instance]
        headers.update(self._region)
        return httpx.Request(
            command.method,
            self._url(command.instance, command.target),
            headers=headers,
            stream=httpx.ByteStream(command.content),
            extensions={"timeout": limits},
        )

    def _ask(self, request: httpx.Request, content: bytes) -> Steps[httpx.Response]:
        return self.core.ask(
            request.method,
            request.url.raw_path,
            request.headers,
            content,
            _seconds(request.extensions),
        )

    def _limits(self, command: Send) -> _Limits:
        return _Limits(command.limit, self.core.policy.connect)


def _seconds(extensions: Mapping[str, Any]) -> float | None:
    given = extensions.get(DEADLINE)
    if given is None:
        given = (extensions.get("timeout") or {}).get("read")
    return None if given is None else float(given)


def _pool_limits(policy: Policy) -> httpx.Limits:
    return httpx.Limits(
        max_connections=None,
        max_keepalive_connections=policy.connections,
        keepalive_expiry=policy.keep_alive,
    )


def _unknown(command: object) -> NoReturn:
    raise TypeError(f"no such command: {command!r}")


class KatoTransport(httpx.BaseTransport):
    """Sends each request to the instance it belongs to, and again where that is safe.

    >>> instances = ["http://kato-1:8000", "http://kato-2:8000"]
    >>> client = httpx.Client(base_url="http://kato", transport=KatoTransport(instances))

    The host of a request's URL is not used. Raises the errors of
    :mod:`kato_balancing.client.errors`. ``region`` goes with every request, so that no balancer of
    another region serves it. ``inner`` replaces the network, ``health_transport`` that
    of the health checks. Thread-safe.
    """

    def __init__(
        self,
        instances: Instances,
        policy: Policy | None = None,
        *,
        hooks: tuple[Hook, ...] = (),
        region: str | None = None,
        inner: httpx.BaseTransport | None = None,
        health_transport: httpx.BaseTransport | None = None,
    ) -> None:
        core = Core(instances, policy, new_lock=threading.Lock, hooks=hooks)
        self._parts = _Base(core, region)
        self._inner = inner or httpx.HTTPTransport(limits=_pool_limits(core.policy))
        self._checker = HealthChecker(
            [*core.pool.instances.values()], transport=health_transport, table=core.pool.health
        )
        self._starting = threading.Lock()
        self._started = not core.policy.check_health
        self._threads: ThreadPoolExecutor | None = None
        self.states = self._parts.states

    @property
    def parts(self) -> _Base:
        """State for watching; see :meth:`states`."""
        return self._parts

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See :class:`httpx.BaseTransport`."""
        if not self._started:
            self.start()
        began = monotonic()
        steps = self._parts._ask(request, request.read())
        response = self._drive(steps)
        response.elapsed = timedelta(seconds=monotonic() - began)
        return response

    def start(self) -> None:
        """Begin the health checks; the first request does so too."""
        with self._starting:
            if not self._started:
                self._checker.start()
                self._started = True

    def close(self) -> None:
        """End the health checks and close all connections."""
        self._checker.close()
        self._inner.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _drive(self, steps: Steps[httpx.Response]) -> httpx.Response:
        try:
            command = next(steps)
            while True:
                try:
                    result = self._do(command)
                except BaseException as error:  # noqa: BLE001 - the steps decide, and note it
                    command = steps.throw(error)
                else:
                    command = steps.send(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def _do(self, command: Command) -> object:
        match command:
            case Send():
                return self._send(command)
            case Sleep(seconds):
                threading.Event().wait(seconds)
                return None
            case Acquire(lock, limit):
                return lock.acquire(timeout=limit)
            case SendAll(sends):
                others = [self._pool().submit(self._send, send) for send in sends[1:]]
                return [self._send(sends[0]), *(other.result() for other in others)]
            case Forget(send):
                self._pool().submit(self._send, send)
                return None
            case SendEither():
                return self._either(command)
            case _:
                _unknown(command)

    def _send(self, command: Send) -> Outcome:
        limits = self._parts._limits(command)
        try:
            response = self._inner.handle_request(self._parts._request(command, limits))
            stream = response.stream
            try:
                response.stream = httpx.ByteStream(b"".join(_within(stream, limits)))
            finally:
                stream.close()  # type: ignore[union-attr]
            response.read()
        except httpx.TransportError as error:
            outcome = of_error(error)
            if outcome is None:
                raise
            return outcome
        return of_response(response)

    def _pool(self) -> ThreadPoolExecutor:
        with self._starting:
            if self._threads is None:
                # By default as many as processors, and a few: a draw would wait for others' draws.
                self._threads = ThreadPoolExecutor(
                    self._parts.core.policy.connections, thread_name_prefix="kato-client"
                )
            return self._threads

    def _either(self, command: SendEither) -> tuple[Send, Outcome]:
        threads = self._pool()
        sent: dict[Future[Outcome], Send] = {
            threads.submit(self._send, command.first): command.first
        }
        done, _ = wait(sent, command.pause)
        if not done:
            sent[threads.submit(self._send, command.second)] = command.second
        waiting = set(sent)
        while True:
            done, waiting = wait(waiting, command.first.limit, FIRST_COMPLETED)
            for one in done:
                if one.result().kind is Kind.ANSWERED or not waiting:
                    return sent[one], one.result()
            if not done:
                return command.first, Outcome(Kind.SILENT)


def _within(
    stream: httpx.SyncByteStream | httpx.AsyncByteStream, limits: _Limits
) -> Iterator[bytes]:
    """The stream's parts; a server that drips them does not get more time for each."""
    for part in stream:  # type: ignore[union-attr]
        yield part
        if limits.over:
            raise httpx.ReadTimeout("the answer took too long")


class AsyncKatoTransport(httpx.AsyncBaseTransport):
    """:class:`KatoTransport` for asyncio. One event loop only."""

    def __init__(
        self,
        instances: Instances,
        policy: Policy | None = None,
        *,
        hooks: tuple[Hook, ...] = (),
        region: str | None = None,
        inner: httpx.AsyncBaseTransport | None = None,
        health_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        core = Core(instances, policy, new_lock=asyncio.Lock, hooks=hooks)
        self._parts = _Base(core, region)
        self._inner = inner or httpx.AsyncHTTPTransport(limits=_pool_limits(core.policy))
        self._checker = AsyncHealthChecker(
            [*core.pool.instances.values()], transport=health_transport, table=core.pool.health
        )
        self._started = not core.policy.check_health
        self._aside: set[asyncio.Task[Outcome]] = set()
        self.states = self._parts.states

    @property
    def parts(self) -> _Base:
        """State for watching; see :meth:`states`."""
        return self._parts

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See :class:`httpx.AsyncBaseTransport`."""
        if not self._started:
            await self.start()
        began = monotonic()
        steps = self._parts._ask(request, await request.aread())
        response = await self._drive(steps)
        response.elapsed = timedelta(seconds=monotonic() - began)
        return response

    async def start(self) -> None:
        """Begin the health checks; the first request does so too."""
        if not self._started:
            self._started = True
            await self._checker.start()

    async def aclose(self) -> None:
        """End the health checks and close all connections."""
        await self._checker.close()
        for task in self._aside:
            task.cancel()
        await asyncio.gather(*self._aside, return_exceptions=True)
        await self._inner.aclose()

    async def _drive(self, steps: Steps[httpx.Response]) -> httpx.Response:
        try:
            command = next(steps)
            while True:
                try:
                    result = await self._do(command)
                except BaseException as error:  # noqa: BLE001 - the steps decide, and note it
                    command = steps.throw(error)
                else:
                    command = steps.send(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def _do(self, command: Command) -> object:
        match command:
            case Send():
                return await self._send(command)
            case Sleep(seconds):
                await asyncio.sleep(seconds)
                return None
            case Acquire(lock, limit):
                return await _acquired(lock, limit)
            case SendAll(sends):
                return await asyncio.gather(*map(self._send, sends))
            case Forget(send):
                self._keep(asyncio.create_task(self._send(send)))
                return None
            case SendEither():
                return await self._either(command)
            case _:
                _unknown(command)

    async def _send(self, command: Send) -> Outcome:
        limits = self._parts._limits(command)
        try:
            async with _cut_after(command.limit + GUARD):
                response = await self._inner.handle_async_request(
                    self._parts._request(command, limits)
                )
                await response.aread()
        except httpx.TransportError as error:
            outcome = of_error(error)
            if outcome is None:
                raise
            return outcome
        return of_response(response)

    async def _either(self, command: SendEither) -> tuple[Send, Outcome]:
        sent = {asyncio.create_task(self._send(command.first)): command.first}
        try:
            done, waiting = await asyncio.wait(sent, timeout=command.pause)
            if not done:
                second = asyncio.create_task(self._send(command.second))
                sent[second] = command.second
                waiting.add(second)
            while True:
                for one in done:
                    if one.result().kind is Kind.ANSWERED or not waiting:
                        return sent[one], one.result()
                done, waiting = await asyncio.wait(
                    waiting, timeout=command.first.limit, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    return command.first, Outcome(Kind.SILENT)
        finally:
            for one in sent:
                if not one.done():
                    one.cancel()
                    self._keep(one)

    def _keep(self, task: asyncio.Task[Outcome]) -> None:
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)


@asynccontextmanager
async def _cut_after(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise httpx.ReadTimeout(f"no whole answer within {seconds:g} s") from error


async def _acquired(lock: asyncio.Lock, limit: float) -> bool:
    if not lock.locked():
        return await lock.acquire()
    try:
        return await asyncio.wait_for(lock.acquire(), limit)
    except TimeoutError:
        return False
