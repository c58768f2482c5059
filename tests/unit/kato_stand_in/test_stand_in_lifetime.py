"""How long a session lives and how much it remembers."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fakeredis import FakeAsyncRedis

from dev.kato_stand_in.environment import Settings

pytestmark = pytest.mark.anyio

MakeRedis = Callable[[], FakeAsyncRedis]


def key_of(session: str) -> str:
    return f"kato:session:{session.removeprefix('/sessions/')}"


async def test_reads_slide_the_ttl_and_leave_the_value(
    kato: httpx.AsyncClient, session: str, redis_client: MakeRedis
) -> None:
    redis = redis_client()
    value = await redis.get(key_of(session))
    await redis.expire(key_of(session), 100)
    await kato.get(f"{session}/exists")
    assert await redis.ttl(key_of(session)) <= 100
    await kato.get(f"{session}/stm")
    assert await redis.ttl(key_of(session)) > 3500
    assert await redis.get(key_of(session)) == value


async def test_without_auto_extend_nothing_slides(
    instance: Callable[..., Any], settings: Settings, redis_client: MakeRedis
) -> None:
    kato = await instance(settings=replace(settings, session_auto_extend=False))
    created = await kato.post("/sessions", json={"node_id": "n", "ttl_seconds": 100})
    session = f"/sessions/{created.json()['session_id']}"
    await kato.post(f"{session}/observe", json={"strings": ["a"]})
    assert await redis_client().ttl(key_of(session)) <= 100


async def test_an_extension_ends_with_the_next_access(
    kato: httpx.AsyncClient, session: str, redis_client: MakeRedis
) -> None:
    answer = await kato.post(f"{session}/extend?ttl_seconds=9000")
    session_id = session.removeprefix("/sessions/")
    assert answer.json() == {"status": "extended", "session_id": session_id, "ttl_seconds": 9000}
    assert await redis_client().ttl(key_of(session)) > 8000
    await kato.get(f"{session}/stm")
    assert await redis_client().ttl(key_of(session)) <= 3600


async def test_the_index_forgets_deleted_sessions_but_not_expired_ones(
    kato: httpx.AsyncClient, session: str, redis_client: MakeRedis
) -> None:
    redis = redis_client()
    other = (await kato.post("/sessions", json={"node_id": "n"})).json()["session_id"]
    await redis.delete(f"kato:session:{other}")
    await kato.delete(session)
    assert await redis.smembers("kato:session:_active_index") == {other}


async def test_memory_sessions_expire(instance: Callable[..., Any]) -> None:
    now = [1000.0]
    kato = await instance(redis=None, clock=lambda: now[0])
    created = await kato.post("/sessions", json={"node_id": "n", "ttl_seconds": 60})
    session = f"/sessions/{created.json()['session_id']}"
    now[0] += 59
    assert (await kato.get(f"{session}/stm")).status_code == 200
    now[0] += 59
    assert (await kato.get(f"{session}/exists")).json()["exists"] is True
    now[0] += 2
    assert (await kato.get(f"{session}/stm")).status_code == 404


async def test_two_processes_without_redis_do_not_know_each_other(
    instance: Callable[..., Any],
) -> None:
    first, second = await instance(redis=None), await instance(redis=None)
    created = await first.post("/sessions", json={"node_id": "n"})
    path = f"/sessions/{created.json()['session_id']}/stm"
    assert [(await kato.get(path)).status_code for kato in (first, second)] == [200, 404]


async def test_the_newest_thousand_events_survive(
    kato: httpx.AsyncClient, session: str, redis_client: MakeRedis
) -> None:
    items = [{"strings": [f"s{n}"]} for n in range(1003)]
    await kato.post(f"{session}/observe-sequence", json={"observations": items})
    stm = (await kato.get(f"{session}/stm")).json()["stm"]
    assert len(stm) == 1000
    assert (stm[0], stm[-1]) == (["s3"], ["s1002"])
    stored = await redis_client().get(key_of(session))
    assert json.loads(str(stored))["time"] == 1003
