"""The WebSocket /ws/events: a snapshot, then session events; answers ping with pong."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from .storage import STORAGE_ERRORS

if TYPE_CHECKING:
    from redis.asyncio import Redis

QUEUE_LENGTH = 1000
"""Events that may wait for one slow client; it misses what comes after."""
RECONNECT_SECONDS = 1.0

logger = logging.getLogger("uvicorn.error")
router = APIRouter()


def event_text(event_type: str, data: dict[str, Any]) -> str:
    """One frame."""
    timestamp = datetime.now(UTC).isoformat()
    return json.dumps({"event_type": event_type, "timestamp": timestamp, "data": data})


class Events:
    """The clients of this process, and the channel that joins processes from release 5.0.0 on."""

    def __init__(self, client: "Redis | None", channel: str) -> None:
        self._client = client
        self._channel = channel
        self._queues: set[asyncio.Queue[str]] = set()

    async def publish(self, event_type: str, data: dict[str, Any]) -> None:
        """Send an event to every client that this release reaches."""
        text = event_text(event_type, data)
        if self._client is None:
            self._deliver(text)
            return
        try:
            await self._client.publish(self._channel, text)
        except STORAGE_ERRORS as error:
            logger.warning("event lost: %s", error)

    def subscribe(self) -> "asyncio.Queue[str]":
        """A queue that gets every event from now on, until leave."""
        queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_LENGTH)
        self._queues.add(queue)
        return queue

    def leave(self, queue: "asyncio.Queue[str]") -> None:
        """Stop filling the queue."""
        self._queues.discard(queue)

    def _deliver(self, text: str) -> None:
        for queue in self._queues:
            offer(queue, text)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Receive the other processes' events while the context lasts."""
        if self._client is None:
            yield
            return
        listener = asyncio.create_task(self._listen(self._client))
        try:
            yield
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    async def _listen(self, client: "Redis") -> None:
        while True:
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(self._channel)
                    async for message in subscription.listen():
                        self._deliver(message["data"])
            except STORAGE_ERRORS as error:
                logger.warning("event channel lost: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)


def offer(queue: "asyncio.Queue[str]", text: str) -> None:
    """Add a frame unless the client has too many waiting."""
    if queue.full():
        logger.warning("a WebSocket client is too slow: frame dropped")
    else:
        queue.put_nowait(text)


@router.websocket("/ws/events")
async def events_socket(socket: WebSocket) -> None:
    """Serve one client until it leaves or the server stops."""
    parts = socket.app.state.parts
    await socket.accept()
    snapshot = {"active_sessions": await parts.sessions.count(), "system_status": "healthy"}
    queue = parts.events.subscribe()
    offer(queue, event_text("state.snapshot", snapshot))
    sender = asyncio.create_task(_forward(queue, socket))
    try:
        while True:
            if await socket.receive_text() == "ping":
                offer(queue, "pong")
    except WebSocketDisconnect:
        return
    finally:
        parts.events.leave(queue)
        sender.cancel()


async def _forward(queue: "asyncio.Queue[str]", socket: WebSocket) -> None:
    # Only this task writes, so that frames of two tasks cannot mix.
    with suppress(WebSocketDisconnect):  # events_socket learns of it by itself
        while True:
            await socket.send_text(await queue.get())
