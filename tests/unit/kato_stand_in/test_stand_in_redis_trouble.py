"""What clients see when Redis refuses, hangs or is switched off."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from dev.kato_stand_in.environment import Settings
from dev.kato_stand_in.storage import connect

pytestmark = pytest.mark.anyio


def is_plain_500(answer: httpx.Response) -> bool:
    return (
        answer.status_code == 500
        and answer.headers["content-type"] == "text/plain; charset=utf-8"
        and answer.text == "Internal Server Error"
        and "x-trace-id" not in answer.headers
        and "x-stand-in" in answer.headers
    )


async def test_redis_refused_and_back(
    kato: httpx.AsyncClient, session: str, redis_server: FakeServer
) -> None:
    redis_server.connected = False
    for path in ("/", "/health", "/status", "/sessions/count", "/connection-pools"):
        assert (await kato.get(path)).status_code == 200, path
    assert is_plain_500(await kato.get("/sessions/lb-probe/exists"))
    assert is_plain_500(await kato.post("/sessions", json={"node_id": "n"}))
    for answer in (
        await kato.get(f"{session}/stm"),
        await kato.post(f"{session}/observe", json={"strings": ["a"]}),
        await kato.delete(session),
    ):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "SESSION_NOT_FOUND"
    redis_server.connected = True
    assert (await kato.post(f"{session}/observe", json={"strings": ["a"]})).status_code == 200


class HangingRedis(FakeAsyncRedis):
    """Answers no SCARD until it is let go."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()

    async def scard(self, *_names: str) -> int:
        self.asked.set()
        await self.let_go.wait()
        return 0


async def test_health_waits_for_a_redis_that_hangs(instance: Callable[..., Any]) -> None:
    redis = HangingRedis(decode_responses=True)
    kato = await instance(redis=redis)
    health = asyncio.create_task(kato.get("/health"))
    await asyncio.wait_for(redis.asked.wait(), 10)
    assert (await kato.get("/status")).status_code == 200
    assert not health.done()
    redis.let_go.set()
    assert (await asyncio.wait_for(health, 10)).status_code == 200


async def test_redis_not_enabled(instance: Callable[..., Any], settings: Settings) -> None:
    kato = await instance(settings=replace(settings, redis_enabled=False))
    created = await kato.post("/sessions", json={"node_id": "n"})
    session = f"/sessions/{created.json()['session_id']}"
    assert (await kato.get("/health")).status_code == 200
    assert is_plain_500(await kato.post(f"{session}/observe", json={"strings": ["a"]}))


async def test_clickhouse_down(kato: httpx.AsyncClient, session: str) -> None:
    await kato.post(f"{session}/observe", json={"strings": ["a"]})
    await kato.post("/_stand_in/fault", json={"kind": "clickhouse_down"})
    assert is_plain_500(await kato.post(f"{session}/observe", json={"strings": ["b"]}))
    assert is_plain_500(await kato.post(f"{session}/learn"))
    for path in (f"{session}/stm", f"{session}/exists", "/health"):
        assert (await kato.get(path)).status_code == 200
    assert (await kato.get(f"{session}/stm")).json()["length"] == 1


@pytest.mark.parametrize("url", ["redis-sentinel://a:26379/0", "redis://a:6379,b:6379"])
def test_urls_that_kato_documents_but_cannot_use(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        connect(url)


async def test_commands_have_no_time_limit() -> None:
    client = connect("redis://127.0.0.1:6379")
    options = client.connection_pool.connection_kwargs
    assert options["socket_timeout"] is None
    assert options["socket_connect_timeout"] is None
    await client.aclose()
