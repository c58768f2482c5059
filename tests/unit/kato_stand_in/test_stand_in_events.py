"""Which processes' clients hear of a session."""

import asyncio
import json
from collections.abc import Callable

import pytest
from fakeredis import FakeAsyncRedis

from dev.kato_stand_in.events import QUEUE_LENGTH, Events, offer

pytestmark = pytest.mark.anyio

CHANNEL = "kato:ws_events"


async def test_through_redis_events_reach_every_process(
    redis_client: Callable[[], FakeAsyncRedis],
) -> None:
    here, there = Events(redis_client(), CHANNEL), Events(redis_client(), CHANNEL)
    redis = redis_client()
    async with here.running(), there.running(), asyncio.timeout(10):
        queues = [here.subscribe(), there.subscribe()]
        while (await redis.pubsub_numsub(CHANNEL))[0][1] < 2:
            await asyncio.sleep(0)
        await here.publish("session.created", {"session_id": "s"})
        frames = [json.loads(await queue.get()) for queue in queues]
    assert [frame["event_type"] for frame in frames] == ["session.created"] * 2
    assert frames[0]["data"] == {"session_id": "s"}


async def test_before_release_5_they_stay_in_their_process() -> None:
    here, there = Events(None, CHANNEL), Events(None, CHANNEL)
    queues = [here.subscribe(), there.subscribe()]
    await here.publish("session.created", {})
    assert [queue.qsize() for queue in queues] == [1, 0]
    here.leave(queues[0])
    await here.publish("session.destroyed", {})
    assert queues[0].qsize() == 1


async def test_an_unreachable_redis_loses_the_event_but_not_the_call(
    redis_client: Callable[[], FakeAsyncRedis], redis_server: "object"
) -> None:
    redis_server.connected = False  # type: ignore[attr-defined]
    await Events(redis_client(), CHANNEL).publish("session.created", {})


def test_a_slow_client_misses_frames() -> None:
    queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_LENGTH)
    for _ in range(QUEUE_LENGTH + 1):
        offer(queue, "frame")
    assert queue.qsize() == QUEUE_LENGTH
