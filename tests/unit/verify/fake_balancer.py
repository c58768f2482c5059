"""A balancer with three KATO servers behind it in one process, sound or broken in named ways."""

import asyncio
import itertools
import json
import re
import secrets
import socket
import threading
import time
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
    "502 for every observation",
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

OBSERVE_SECONDS = 0.004
SESSION = re.compile(r"^/sessions/([^/]+)(/\w[\w-]*)?$")


@dataclass
class Reply:
    status: int
    body: object = field(default_factory=dict)
    from_kato: bool = True
    location: str | None = None


INSTEAD_OF_KATO = {
    "only 502": Reply(502, from_kato=False),
    "not KATO": Reply(404, from_kato=False),
    "redirects": Reply(307, location="https://elsewhere.test/", from_kato=False),
}


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
        self._owners: dict[str, int] = {}
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
        path = unquote(raw)
        if "double slash without key" not in self.faults:
            path = path.replace("//", "/")
        found = re.match(r"/sessions/([^/]+)", path)
        key = found[1] if found else ""
        if not key and "header ignored" not in self.faults:
            key = headers.get("x-session-id", "")
        unaware = "spread" in self.faults or (query and "query in key" in self.faults)
        if not key or unaware:
            return next(self._turn) % len(self.servers)
        # In turn by age: a hash could by chance give all sessions of a test to one server.
        number = self._owners.get(key, 0)
        if "%" in raw and "raw path in key" in self.faults:
            number += 1
        return number % len(self.servers)

    async def _reply(self, method: str, raw: str, server: str, body: dict) -> Reply:
        for fault, reply in INSTEAD_OF_KATO.items():
            if fault in self.faults:
                return reply
        found = SESSION.match(unquote(raw))
        if found is not None:
            return await self._session(
                method, found[1], found[2] or "", server, body.get("strings", [])
            )
        if raw == "/health":
            return Reply(200, {"status": "unhealthy"})
        if raw == "/sessions" and method == "POST":
            return self._create(body)
        refused = raw.startswith("//") and "double slash refused" in self.faults
        return Reply(404, from_kato=not refused)

    async def _session(
        self, method: str, session: str, rest: str, server: str, strings: list[str]
    ) -> Reply:
        if rest == "/exists":
            status = 500 if "Redis away" in self.faults else 200
            return Reply(status, {"exists": session in self.memories, "session_id": session})
        if session not in self.memories:
            return Reply(404, {"error": {"code": "SESSION_NOT_FOUND", "session_id": session}})
        if rest == "/observe":
            return await self._observe(session, server, strings)
        return self._read(session) if rest == "/stm" else self._whole(method, session)

    def _create(self, body: dict) -> Reply:
        if "Redis away" in self.faults:
            return Reply(500)
        if "no session id" in self.faults:
            return Reply(200, {})
        session = f"session-{secrets.token_hex(16)}-{time.time_ns() // 1_000_000}"
        self.memories[session] = []
        self._owners[session] = len(self._owners)
        self.nodes.append(body["node_id"])
        return Reply(200, {"session_id": session, "node_id": body["node_id"]})

    def _read(self, session: str) -> Reply:
        if "memory unreadable" in self.faults:
            return Reply(500)
        foreign = [["foreign"]] if "foreign strings" in self.faults else []
        stm = self.memories[session] + foreign
        return Reply(200, {"stm": stm, "session_id": session, "length": len(stm)})

    def _whole(self, method: str, session: str) -> Reply:
        if method == "DELETE":
            if "deletes fail" in self.faults:
                return Reply(500)
            self.deleted.append(session)
            del self.memories[session]
        return Reply(200, {"session_id": session})

    async def _observe(self, session: str, server: str, strings: list[str]) -> Reply:
        number = next(self._observes)
        every = 1 if "502 for every observation" in self.faults else 10
        failing = {"502 now and then", "502 for every observation"} & self.faults
        if failing and number % every == 0:
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


class Stage:
    """One HTTP server for all tests, since starting and stopping one takes half a second."""

    def __init__(self) -> None:
        self.app: FakeBalancer | None = None
        self.url = ""

    async def __call__(self, scope, receive, send) -> None:
        assert self.app is not None, "a request came after its test was over"
        await self.app(scope, receive, send)

    @contextmanager
    def open(self):
        """Serve on a free port of 127.0.0.1 as long as the block lasts."""
        # asyncio sends without delay only where the protocol is named.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(self, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        limit = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < limit, "the fake balancer did not start within 10 s"
            time.sleep(0.005)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(10)
            listener.close()
            assert not thread.is_alive(), "the fake balancer did not stop within 10 s"


STAGE = Stage()


@contextmanager
def served(balancer: FakeBalancer):
    """Put ``balancer`` on the stage; yields its URL."""
    STAGE.app = balancer
    try:
        yield STAGE.url
    finally:
        STAGE.app = None
