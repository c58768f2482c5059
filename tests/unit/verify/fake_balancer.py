"""A balancer with three KATO servers behind it in one process, sound or broken in named ways."""

import asyncio
import itertools
import json
import re
import secrets
import socket
import threading
import time
import zlib
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

import uvicorn

Fault = Literal[
    "spread",  # no affinity: round robin
    "query in key",
    "double slash without key",
    "raw path in key",
    "header ignored",
    "unlocked",  # several workers in one server
    "not revealed",
    "not revealed on errors",
    "one server",
    "tried another first",
    "double slash refused",
    "502 now and then",
    "502 after storing",
    "only 502",
    "stores twice",
    "foreign strings",
    "learns by itself",
    "memory unreadable",
    "deletes fail",
    "Redis away",
    "no session id",
    "redirects",
    "not KATO",
]

OBSERVE_SECONDS = 0.002
SESSION = re.compile(r"/sessions/([^/]+)(/\w[\w-]*)?$")


@dataclass
class Reply:
    status: int
    body: object = field(default_factory=dict)
    from_kato: bool = True
    location: str | None = None


class FakeBalancer:
    """An ASGI application."""

    def __init__(self, *faults: Fault) -> None:
        self.faults: frozenset[str] = frozenset(faults)
        self.servers = ["kato-0"] if "one server" in faults else ["kato-0", "kato-1", "kato-2"]
        self.memories: dict[str, list[list[str]]] = {}
        self.nodes: list[str] = []
        self.deleted: list[str] = []
        self.paths: list[str] = []
        self.connections: set[tuple[str, int]] = set()
        self._locks: dict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._turn = itertools.count()
        self._observes = itertools.count(1)

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        raw = scope["raw_path"].decode()
        self.paths.append(raw)
        self.connections.add(tuple(scope["client"]))
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        server = self.servers[self._place(raw, scope["query_string"].decode(), headers)]
        reply = await self._reply(scope["method"], raw, server, json.loads(body or b"{}"))
        await self._send(send, reply, server, asked=headers.get("x-kato-reveal") == "server")

    def _place(self, raw: str, query: str, headers: dict[str, str]) -> int:
        path = raw if "raw path in key" in self.faults else unquote(raw)
        if "double slash without key" not in self.faults:
            path = path.replace("//", "/")
        found = re.match(r"/sessions/([^/]+)", path)
        key = found[1] if found else ""
        if not key and "header ignored" not in self.faults:
            key = headers.get("x-session-id", "")
        if query and "query in key" in self.faults:
            key += query + str(next(self._turn))
        if not key or "spread" in self.faults:
            return next(self._turn) % len(self.servers)
        return zlib.crc32(key.encode()) % len(self.servers)

    async def _reply(self, method: str, raw: str, server: str, body: dict) -> Reply:
        if "only 502" in self.faults:
            return Reply(502, from_kato=False)
        if "not KATO" in self.faults:
            return Reply(404, from_kato=False)
        if "redirects" in self.faults:
            return Reply(307, location="https://elsewhere.test/", from_kato=False)
        if raw == "/health":
            return Reply(200, {"status": "unhealthy"})
        if raw == "/sessions" and method == "POST":
            return self._create(body)
        if raw.startswith("//"):
            return Reply(404, from_kato="double slash refused" not in self.faults)
        found = SESSION.match(unquote(raw))
        if found is None:
            return Reply(404)
        return await self._session(method, found[1], found[2] or "", server, body)

    def _create(self, body: dict) -> Reply:
        if "Redis away" in self.faults:
            return Reply(500)
        if "no session id" in self.faults:
            return Reply(200, {})
        session = f"session-{secrets.token_hex(16)}-{time.time_ns() // 1_000_000}"
        self.memories[session] = []
        self.nodes.append(body["node_id"])
        return Reply(200, {"session_id": session, "node_id": body["node_id"]})

    async def _session(
        self, method: str, session: str, rest: str, server: str, body: dict
    ) -> Reply:
        if rest == "/exists":
            status = 500 if "Redis away" in self.faults else 200
            return Reply(status, {"exists": session in self.memories, "session_id": session})
        if session not in self.memories:
            return Reply(404, {"error": {"code": "SESSION_NOT_FOUND", "session_id": session}})
        if method == "DELETE":
            if "deletes fail" in self.faults:
                return Reply(500)
            self.deleted.append(session)
            del self.memories[session]
            return Reply(200, {"status": "deleted", "session_id": session})
        if rest == "/stm":
            if "memory unreadable" in self.faults:
                return Reply(500)
            foreign = [["foreign"]] if "foreign strings" in self.faults else []
            stm = self.memories[session] + foreign
            return Reply(200, {"stm": stm, "session_id": session, "length": len(stm)})
        if rest == "/observe":
            return await self._observe(session, server, body["strings"])
        return Reply(200, {"session_id": session})

    async def _observe(self, session: str, server: str, strings: list[str]) -> Reply:
        number = next(self._observes)
        if "502 now and then" in self.faults and number % 10 == 0:
            return Reply(502, from_kato=False)
        # The lock lives in one process, so it is one per server; the memory is shared.
        unlocked = "unlocked" in self.faults
        lock = asyncio.Lock() if unlocked else self._locks[server, session]
        async with lock:
            read = list(self.memories[session])
            await asyncio.sleep(OBSERVE_SECONDS)
            twice = "stores twice" in self.faults and number % 10 == 0
            learned = "learns by itself" in self.faults and number % 3 == 0
            written = [] if learned else read + [strings] * (2 if twice else 1)
            self.memories[session] = written
        if "502 after storing" in self.faults and number % 10 == 0:
            return Reply(502, from_kato=False)
        pattern = "PTRN|1" if learned else None
        return Reply(200, {"status": "okay", "auto_learned_pattern": pattern})

    async def _send(self, send, reply: Reply, server: str, *, asked: bool) -> None:
        body = json.dumps(reply.body).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        if reply.location:
            headers.append((b"location", reply.location.encode()))
        if reply.from_kato:
            headers.append((b"x-trace-id", b"kato-1"))
        hidden = "not revealed" in self.faults or (
            "not revealed on errors" in self.faults and reply.status >= 400
        )
        if asked and reply.from_kato and not hidden:
            tried = "kato-9, " if "tried another first" in self.faults else ""
            headers.append((b"x-kato-server", f"{tried}{server}".encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def served(app):
    """``app`` on a free port of 127.0.0.1; yields its URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    limit = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < limit, "the fake balancer did not start within 10 s"
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive(), "the fake balancer did not stop within 10 s"
