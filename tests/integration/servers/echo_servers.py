"""Servers inside the test: each tells its name and what it was asked, and can be told to fail."""

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class EchoServer:
    """One server on 127.0.0.1; ``requests`` has the request line of everything but probes."""

    name: str
    port: int = 0
    requests: list[str] = field(default_factory=list)
    cut_after_reading: bool = False
    """Close the connection instead of answering: the request may have been worked on."""
    delay: float = 0
    probe_delay: float = 0
    """Before the answer to a probe."""
    slow_probes: int = 0
    """So many of the next probes are answered too late."""
    probes: int = 0
    """Probes that were answered."""
    most_at_once: int = 0
    _now: int = 0
    _listener: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def open(self) -> None:
        """Listen; on the same port again after a close."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse connections and drop those that are open."""
        if self._listener is not None:
            self._listener.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await self._one(reader, writer):
                pass
        self._writers.discard(writer)
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip()
        first, *lines = head.split("\r\n")
        headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        await reader.readexactly(int(headers.get("content-length", "0")))
        if "/health" in first:
            if self.slow_probes:
                self.slow_probes -= 1
                await asyncio.sleep(60)
            await asyncio.sleep(self.probe_delay)
            self.probes += 1
        else:
            self.requests.append(first)
            if self.cut_after_reading:
                return False
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            await asyncio.sleep(self.delay)
            self._now -= 1
        body = json.dumps({"server": self.name, "request": first, "headers": headers}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        return True


class Echo:
    """Several servers in a thread of their own."""

    def __init__(self, names: list[str]) -> None:
        self.servers = {name: EchoServer(name) for name in names}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        for name in names:
            self.up(name)

    def _do(self, work: "asyncio.Future[None]") -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    def up(self, name: str) -> None:
        """Let the server listen."""
        self._do(self.servers[name].open())  # type: ignore[arg-type]

    def down(self, name: str) -> None:
        """Let the server refuse connections."""
        self._do(self.servers[name].close())  # type: ignore[arg-type]

    def listed(self, *names: str, **more: object) -> list[dict[str, object]]:
        """Servers of a model."""
        return [
            {"name": n, "host": "127.0.0.1", "port": self.servers[n].port, **more} for n in names
        ]

    def counts(self) -> Counter[str]:
        """Requests that each server had."""
        return Counter({name: len(server.requests) for name, server in self.servers.items()})

    def stop(self) -> None:
        """End all of them."""
        for name in self.servers:
            self.down(name)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@contextlib.contextmanager
def echo(*names: str) -> Iterator[Echo]:
    """Servers of these names, until the end."""
    running = Echo(list(names))
    try:
        yield running
    finally:
        running.stop()
