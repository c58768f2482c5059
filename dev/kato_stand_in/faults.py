"""Faults that can be ordered: what the next session requests of this process suffer."""

import asyncio
import socket
import struct
import time
from dataclasses import dataclass, replace

from starlette.types import ASGIApp, Message, Receive, Scope, Send

RawHeaders = list[tuple[bytes, bytes]]

KINDS = (
    "none",
    "block",
    "hang",
    "slow",
    "reset",
    "fail_before",
    "fail_after",
    "clickhouse_down",
)

CLICKHOUSE_DOWN = "stand_in.clickhouse_down"
"""Key in a request's scope: this request meets a ClickHouse that is down."""


@dataclass(frozen=True)
class Fault:
    """One order: a kind of KINDS, a duration for block and slow, and for how many requests."""

    kind: str
    seconds: float = 0.0
    count: int | None = None
    """Session requests still to be hit; None is all of them."""
    every: int = 1
    """Only each so-manieth session request is hit; 20 means 5 %."""


class Faults:
    """The current fault of this process."""

    def __init__(self, current: Fault | None = None) -> None:
        self.current = current
        self._passed = 0

    def order(self, fault: Fault) -> None:
        """Replace the current fault; kind "none" ends it."""
        self.current = None if fault.kind == "none" else fault

    def take(self) -> Fault | None:
        """The fault for one request, counted."""
        fault = self.current
        self._passed += 1
        if fault is None or self._passed % fault.every:
            return None
        if fault.count is not None:
            left = fault.count - 1
            self.current = replace(fault, count=left) if left > 0 else None
        return fault


class FaultMiddleware:
    """Lets session requests suffer the current fault.

    It must be the outermost layer, because a reset needs uvicorn's own send.
    """

    def __init__(self, app: ASGIApp, faults: Faults, headers: RawHeaders) -> None:
        self._app = app
        self._faults = faults
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        fault = self._faults.take() if _is_hit(scope) else None
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind == "fail_before":
            await self._internal_server_error(send)
        elif fault.kind == "fail_after":
            await self._app(scope, receive, _discard)
            await self._internal_server_error(send)
        elif fault.kind == "reset":
            await self._app(scope, receive, _discard)
            await _reset_connection(receive, send)
        else:
            await self._disturb(fault, scope)
            await self._app(scope, receive, send)

    async def _disturb(self, fault: Fault, scope: Scope) -> None:
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "block":
            time.sleep(fault.seconds)  # blocks the event loop: that is the fault
        elif fault.kind == "hang":
            # KATO's deadlock: the event loop never runs again. uvicorn's signal handler only
            # sets a flag that the loop would have to read, so SIGTERM has no effect either.
            while True:
                time.sleep(3600)
        elif fault.kind == "clickhouse_down":
            scope[CLICKHOUSE_DOWN] = True

    async def _internal_server_error(self, send: Send) -> None:
        body = b"Internal Server Error"
        headers = [
            *self._headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _is_hit(scope: Scope) -> bool:
    # The exists call is a readiness probe: if it used up a count, no test could rely on counts.
    return (
        scope["type"] == "http"
        and scope["path"].startswith("/sessions/")
        and not scope["path"].endswith("/exists")
    )


async def _discard(_message: Message) -> None:
    """A send that drops the answer."""


async def _reset_connection(receive: Receive, send: Send) -> None:
    """Cut the connection with a TCP reset instead of an answer."""
    # ASGI has no message for this. uvicorn's send is a method of its RequestResponseCycle (a
    # private class, but alike in its h11 and httptools implementations), which has the transport.
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("the reset fault needs uvicorn")
    # A linger time of 0 s makes close() send RST instead of FIN.
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
    # Wait until uvicorn has seen the loss; otherwise it reports a missing answer.
    while (await receive())["type"] != "http.disconnect":
        pass
