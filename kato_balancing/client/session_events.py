"""KATO's session events over WebSockets, of all replicas. Needs ``websockets``
(``pip install kato-load-balancing[events]``).

Before KATO 5.0.0 each process tells only of its own sessions, so the client listens to all of them;
from 5.0.0 on every process tells of all, and an event that came already is dropped.
"""

import asyncio
import json
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from kato_balancing import kato
from kato_balancing.client.instances import Instances, listed

PING_SECONDS: Final = 30.0
"""KATO asks its clients for a ``ping`` this often."""
RECONNECT_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 5.0
REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class KatoEvent:
    """Something that happened to a session."""

    kind: str
    """``session.created`` or ``session.destroyed``."""
    data: dict[str, Any]
    instance: str
    """The instance that told first."""

    @property
    def session_id(self) -> str | None:
        """The session that it is about."""
        found = self.data.get("session_id")
        return found if isinstance(found, str) else None


class Seen:
    """Drops what another replica told already."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def event(self, text: str, instance: str) -> KatoEvent | None:
        """The event of a frame; None for a pong, a snapshot, what is no event, or a repeat."""
        try:
            frame = json.loads(text)
        except ValueError:
            return None
        if not isinstance(frame, dict) or not isinstance(frame.get("data"), dict):
            return None
        kind, data = str(frame.get("event_type")), frame["data"]
        if not kind.startswith("session."):
            return None
        key = (kind, str(data.get("session_id")))
        if key in self._seen:
            return None
        self._seen[key] = None
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return KatoEvent(kind, data, instance)


def addresses(instances: Instances) -> dict[str, str]:
    """Instance → the address of its events."""
    return {
        one.name: "ws" + one.url.removeprefix("http") + kato.WEBSOCKET_PATH
        for one in listed(instances)
    }


async def async_events(instances: Instances) -> AsyncIterator[KatoEvent]:
    """Events as they come, of all instances, reconnecting for as long as they are read.

    What happens while a connection is away is not told: ask KATO when you must know.
    """
    try:
        from websockets.asyncio.client import connect  # noqa: PLC0415 - optional
        from websockets.exceptions import WebSocketException  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("events need the extra 'events': websockets is missing") from error

    waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue(REMEMBERED)

    async def pings(socket: Any) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            await socket.send("ping")

    async def listen(name: str, address: str) -> None:
        while True:
            with suppress(OSError, WebSocketException, TimeoutError):
                async with connect(address, open_timeout=CONNECT_SECONDS) as socket:
                    pinging = asyncio.create_task(pings(socket))
                    try:
                        async for text in socket:
                            await waiting.put((str(text), name))
                    finally:
                        pinging.cancel()
            await asyncio.sleep(RECONNECT_SECONDS)

    seen = Seen()
    listeners = [asyncio.create_task(listen(*pair)) for pair in addresses(instances).items()]
    try:
        while True:
            found = seen.event(*await waiting.get())
            if found is not None:
                yield found
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)


def sync_events(instances: Instances, *, seconds: float | None = None) -> Iterator[KatoEvent]:
    """:func:`async_events` for threads; ends after ``seconds``, by default never."""
    found: queue.Queue[KatoEvent | BaseException] = queue.Queue(REMEMBERED)
    loop = asyncio.new_event_loop()

    async def pump() -> None:
        async for one in async_events(instances):
            found.put_nowait(one)

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            return
        except BaseException as error:  # noqa: BLE001 - raised in the reader's thread
            found.put(error)
        finally:
            loop.close()

    task = loop.create_task(pump())
    thread = threading.Thread(target=run, name="kato-events", daemon=True)
    thread.start()
    until = None if seconds is None else time.monotonic() + seconds
    try:
        while until is None or time.monotonic() < until:
            with suppress(queue.Empty):
                one = found.get(timeout=0.1)
                if isinstance(one, BaseException):
                    raise one
                yield one
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
        thread.join(CONNECT_SECONDS)
