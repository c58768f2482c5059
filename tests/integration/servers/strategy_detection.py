"""How long HAProxy takes to find a crash, a hang and a return, as clients see it."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from strategy_stage import Stage

from dev.free_ports import free_ports

_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"kato-2")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.daemon_threads = True
server.handle_error = lambda *_: None
server.serve_forever()
"""
VERSIONS = ("haproxy:2.6", "haproxy:3.2")
_EVERY = 0.02
_STUCK = 0.5
"""An answer that took longer came from a server that hung."""


@dataclass(frozen=True)
class Found:
    """Seconds as clients see them: from the crash to the last request that failed or had to wait,
    from the hang to the last request that was still sent there, from the return to the first
    answer."""

    crash: float
    failed: int
    """Requests that the crash cost a client an error."""
    hang: float
    back: float


@dataclass
class _Asked:
    sent: float
    took: float | None = None
    by: str | None = None

    def noticed(self) -> bool:
        """True unless it was answered at once."""
        return self.by is None or self.took is None or self.took > _STUCK


@dataclass
class _Clients:
    """A request every 20 ms, each on a connection of its own, none waiting for another."""

    port: int
    since: float = 0
    """When it happened."""
    asked: list[_Asked] = field(default_factory=list)
    _tasks: "list[asyncio.Task[None]]" = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Ask for that long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.asked.append(_Asked(time.monotonic()))
            self._tasks.append(asyncio.create_task(self._one(self.asked[-1])))
            await asyncio.sleep(_EVERY)

    async def settle(self) -> None:
        """Wait for what is still under way."""
        await asyncio.gather(*self._tasks)

    async def _one(self, asked: _Asked) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(8):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"GET /x HTTP/1.1\r\nHost: kato\r\nConnection: close\r\n\r\n")
                answer = (await reader.read()).decode()
                writer.close()
                asked.took = time.monotonic() - asked.sent
                if answer.startswith("HTTP/1.1 200"):
                    asked.by = answer.rpartition("\r\n\r\n")[2]


_seen: dict[str, Found] = {}


def detections(stage: Stage) -> dict[str, Found]:
    """Kill, start, stop and continue the third server under a steady stream of requests: what the
    clients of both versions, side by side, see of it."""
    if not _seen:
        [own] = free_ports(1)
        listening = {}
        with _process(own) as server:
            for target in VERSIONS:
                model = stage.model({**stage.answering, "kato-2": own})
                stage.start(model, target)
                listening[target] = model.listener.port
            _seen.update(asyncio.run(_watch(listening, server)))
        print("\n" + "\n".join(f"{target}: {found}" for target, found in _seen.items()))
    return _seen


async def _watch(ports: Mapping[str, int], server: "_Process") -> dict[str, Found]:
    crash = await _asked(ports, server.kill, seconds=2)
    back = await _asked(ports, server.start, seconds=4)
    hang = await _asked(ports, server.stop, seconds=5, then=server.go_on)
    return {
        target: Found(
            crash=_last(crash[target], ended=True),
            failed=sum(a.by is None for a in crash[target].asked),
            hang=_last(hang[target], ended=False),
            back=_first(back[target]),
        )
        for target in ports
    }


async def _asked(
    ports: Mapping[str, int],
    happens: Callable[[], None],
    *,
    seconds: float,
    then: Callable[[], None] = lambda: None,
) -> "dict[str, _Clients]":
    """Requests before, while and after something happens."""
    clients = {target: _Clients(port) for target, port in ports.items()}
    everyone = clients.values()
    await asyncio.gather(*(c.run(0.5) for c in everyone))
    happens()
    for client in everyone:
        client.since = time.monotonic()
    await asyncio.gather(*(c.run(seconds) for c in everyone))
    then()
    await asyncio.gather(*(c.settle() for c in everyone))
    return clients


def _last(clients: "_Clients", *, ended: bool) -> float:
    """Seconds until the last request was sent, or ended, that was not answered at once."""
    noticed = [a for a in clients.asked if a.sent >= clients.since and a.noticed()]
    times = [a.sent + (a.took or 0) * ended for a in noticed]
    return round(max(times, default=clients.since) - clients.since, 2)


def _first(clients: "_Clients") -> float:
    """Seconds until the server answered."""
    answers = [
        a.sent + (a.took or 0)
        for a in clients.asked
        if a.by == "kato-2" and a.sent + (a.took or 0) >= clients.since
    ]
    assert answers, "the server is not used again"
    return round(min(answers) - clients.since, 2)


class _Process:
    """A server process of our own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._running = subprocess.Popen([sys.executable, "-c", _SERVER, str(self._port)])
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port)):
                return
            time.sleep(0.02)
        raise AssertionError("the server does not listen")

    def stop(self) -> None:
        """Let it hang."""
        self._running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it work again."""
        self._running.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self._running.kill()
        self._running.wait(10)


@contextlib.contextmanager
def _process(port: int) -> Iterator[_Process]:
    process = _Process(port)
    try:
        yield process
    finally:
        process.kill()
