"""Layers around the routes: the headers KATO adds, and its check that a session exists."""

import re
import uuid
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RawHeaders = list[tuple[bytes, bytes]]

# The path is already decoded here, so a percent-encoded id is the same session.
SESSION_CALL = re.compile(r"/sessions/(?P<session_id>[^/]+)/(?P<call>.+)", re.DOTALL)


def session_not_found(session_id: str) -> JSONResponse:
    """KATO's answer for a session that is unknown, has expired or cannot be read."""
    error = {
        "code": "SESSION_NOT_FOUND",
        "message": f"Session {session_id} not found or expired",
        "session_id": session_id,
    }
    return JSONResponse({"error": error}, status_code=404)


def adding(send: Send, headers: RawHeaders) -> Send:
    """A send that adds headers to the answer."""

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *headers]}
        await send(message)

    return send_more


class FixedHeaders:
    """Adds the same headers to every answer of the application."""

    def __init__(self, app: ASGIApp, headers: RawHeaders) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await self._app(scope, receive, adding(send, self._headers))


class TraceId:
    """Adds X-Trace-ID: the client's, or a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            trace = Headers(scope=scope).get("x-trace-id") or f"kato-{uuid.uuid4().hex}"
            send = adding(send, [(b"x-trace-id", trace.encode("latin-1"))])
        await self._app(scope, receive, send)


class SessionGuard:
    """Refuses calls of unknown sessions and adds X-Session-ID."""

    def __init__(self, app: ASGIApp, is_live: Callable[[str], Awaitable[bool]]) -> None:
        self._app = app
        self._is_live = is_live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        match = SESSION_CALL.fullmatch(path)
        if match and match["call"] != "exists":
            session_id = match["session_id"]
            if not await self._is_live(session_id):
                await session_not_found(session_id)(scope, receive, send)
                return
            # An id from the path may have any character; a live one was made by create.
            send = adding(send, [(b"x-session-id", session_id.encode("latin-1", "replace"))])
        elif not path.startswith("/sessions/") and (claimed := _claimed_session(scope)):
            # KATO echoes what the client claims, unchecked.
            send = adding(send, [(b"x-session-id", claimed.encode("latin-1"))])
        await self._app(scope, receive, send)


def _claimed_session(scope: Scope) -> str:
    headers = Headers(scope=scope)
    if claimed := headers.get("x-session-id"):
        return claimed
    for cookie in headers.get("cookie", "").split(";"):
        name, _, value = cookie.partition("=")
        if name.strip() == "session_id":
            return value.strip()
    return ""
