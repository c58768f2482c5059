"""What only the drivers do: limits that count down, hedging, letting go."""

import asyncio
import dataclasses
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fake_kato import NAMES, QUICK, URLS, FakeKato

from kato_balancing.client import AsyncFailoverClient, FailoverClient, OutOfTime, Policy
from kato_balancing.client._core import AT_ONCE
from kato_balancing.client.transport import _Limits

HEDGED = dataclasses.replace(QUICK, hedge=0.01)


def test_limits_count_down():
    limits = _Limits(10.0, connect=1.0)
    assert limits.get("connect") == limits.get("pool") == 1.0
    assert 0 < limits.get("read") <= 10
    assert not limits.over
    assert _Limits(-1.0, connect=1.0).get("read") == 0.001
    assert _Limits(-1.0, connect=1.0).over


def test_no_draw_waits_for_the_draws_of_others():
    """All first draws of eight callers are on their way at the same time. A caller of whose draws
    the slow instance owns every one draws again, alone."""
    callers, kato, met = 8, FakeKato(), threading.Event()
    together = threading.Barrier(callers * AT_ONCE, action=met.set)

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and not met.is_set():
            together.wait(5)
        return kato.handle(request)

    with FailoverClient(URLS, QUICK, transport=httpx.MockTransport(handle)) as client:
        for name, seconds in zip(NAMES, (0.01, 0.01, 0.1), strict=True):
            client._transport.parts.core.pool.weighting.begin(name)
            client._transport.parts.core.pool.weighting.end(name, seconds)
        with ThreadPoolExecutor(callers) as threads:
            made = list(threads.map(client.create_session, ["n"] * callers))
    assert len(set(made)) == callers
    assert met.is_set()


class Dripping:
    """Answers with one byte at a time, for ever."""

    def __enter__(self) -> str:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._stop = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                while not self._stop.wait(0.02):
                    connection.sendall(b"x")
            except OSError:
                if self._stop.is_set():
                    return

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._listening.close()


def test_a_dripping_answer_ends_at_the_deadline():
    with (
        Dripping() as url,
        FailoverClient([url], Policy(check_health=False)) as client,
        pytest.raises(OutOfTime),
    ):
        client.request("GET", "/health", timeout=0.3)


def test_a_dripping_answer_ends_at_the_deadline_by_asyncio():
    async def go(url):
        async with AsyncFailoverClient([url], Policy(check_health=False)) as client:
            with pytest.raises(OutOfTime):
                await client.request("GET", "/health", timeout=0.3)

    with Dripping() as url:
        asyncio.run(go(url))


def test_a_hedged_read_takes_the_first_answer():
    kato, release = FakeKato(), threading.Event()
    client = kato.client(HEDGED)
    session = client.attach(client.create_session("n"))
    owner = client.owner(session.session_id)

    def stuck(k, request):
        release.wait(10)
        return k.serve(request)

    kato.faults[owner] = [stuck]
    try:
        assert session.stm() == []
        assert {name for name, _, path in kato.calls if path.endswith("/stm")} > {owner}
    finally:
        release.set()
        client.close()


def test_a_hedged_read_takes_the_first_answer_by_asyncio():
    kato = FakeKato()

    class Stuck(httpx.AsyncBaseTransport):
        owner = ""

        async def handle_async_request(self, request):
            await request.aread()
            if request.url.host == self.owner and request.url.path.endswith("/stm"):
                await asyncio.sleep(60)
            return kato.handle(request)

    async def go():
        transport = Stuck()
        async with AsyncFailoverClient(URLS, HEDGED, transport=transport) as client:
            session = client.attach(await client.create_session("n"))
            transport.owner = client.owner(session.session_id)
            return await session.stm()

    assert asyncio.run(go()) == []


def test_many_threads_share_a_session():
    """Their writes wait for each other; none is lost."""
    kato = FakeKato()
    client = kato.client(dataclasses.replace(QUICK, deadline=20.0))
    session = client.attach(client.create_session("n"))

    def work(number):
        for turn in range(20):
            session.observe([f"{number}-{turn}"])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(session.stm()) == 160
    assert len({event[0] for event in session.stm()}) == 160


def test_unused_sessions_are_let_go_by_asyncio():
    kato = FakeKato()

    async def go():
        async with AsyncFailoverClient(URLS, QUICK, transport=kato.transport()) as client:
            weighting = client._transport.parts.core.pool.weighting
            for name in NAMES:
                weighting.begin(name)
                weighting.end(name, 1.0 if name == NAMES[0] else 0.01)
            owners = {client.owner(await client.create_session("n")) for _ in range(20)}
            for _ in range(100):
                await asyncio.sleep(0)
            return owners

    assert NAMES[0] not in asyncio.run(go())
    assert len(kato.sessions) == 20
