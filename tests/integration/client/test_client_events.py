"""Events of all replicas, each once, before and after KATO joined its processes by Redis."""

import asyncio
import queue
import threading

import pytest
from fault_stage import processes, redis

from kato_balancing.client import AsyncFailoverClient, FailoverClient, KatoEvent

PATIENCE = 20.0


@pytest.fixture(scope="module")
def urls():
    with redis() as url, processes(url, count=2) as running:
        yield [one.url for one in running]


def test_threads(urls):
    heard: queue.Queue[KatoEvent] = queue.Queue()
    with FailoverClient(urls) as client:
        reading = threading.Thread(
            target=lambda: [heard.put(event) for event in client.events(seconds=6)]
        )
        reading.start()
        made: set[str] = set()
        while heard.empty():  # until a listener is there
            made.add(client.create_session("n", timeout=PATIENCE))
            assert len(made) < 200
            reading.join(0.1)
        last = client.create_session("n")
        reading.join(PATIENCE)
    found = [heard.get() for _ in range(heard.qsize())]
    told = [event.session_id for event in found if event.kind == "session.created"]
    assert last in told
    assert len(told) == len(set(told))


def test_asyncio(urls):
    async def go():
        async with AsyncFailoverClient(urls) as client:
            session = client.attach(await client.create_session("n"))

            async def first():
                async for event in session.events():
                    return event

            listening = asyncio.create_task(first())
            await asyncio.sleep(1)  # a listener needs a moment; what came before is not told
            await session.close()
            return session, await asyncio.wait_for(listening, PATIENCE)

    session, event = asyncio.run(go())
    assert (event.kind, event.session_id) == ("session.destroyed", session.session_id)
