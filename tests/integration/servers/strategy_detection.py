"""How long HAProxy takes to find a crash, a hang and a return, as clients see it."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from strategy_stage import Stage, quiet_ports

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
server.serve_forever()
"""
_EVERY = 0.02
_STUCK = 0.5
"""An answer that took longer came from a server that hung."""


@dataclass(frozen=True)
class Found:
    """Seconds: from the crash to the last request that noticed it, from the hang to the last
    request that was still sent there, from the return to the first answer."""

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
    asked: list[_Asked] = field(default_factory=list)

    async def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Ask for that long, or until something is seen."""
        end = time.monotonic() + seconds
        tasks = []
        while time.monotonic() < end and not until():
            self.asked.append(_Asked(time.monotonic()))
            tasks.append(asyncio.create_task(self._one(self.asked[-1])))
            await asyncio.sleep(_EVERY)
        self._tasks = tasks

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


def detection(stage: Stage) -> Found:
    """Kill, start, stop and continue the third server under a steady stream of requests."""
    [own] = quiet_ports(1)
    ports = {**stage.answering, "kato-2": own}
    with _process(own) as first:
        model = stage.model(ports)
        stage.start(model)
        found = asyncio.run(_watch(model.listener.port, first, own))
    print(f"{stage.target}: {found}")
    return found


async def _watch(port: int, server: "_Process", own: int) -> Found:
    crash = _Clients(port)
    await crash.run(0.5)
    at = time.monotonic()
    server.kill()
    await crash.run(2)
    await crash.settle()
    after = [a for a in crash.asked if a.sent >= at]
    crashed = max((a.sent + (a.took or 0) for a in after if a.noticed()), default=at) - at
    failed = sum(a.by is None for a in crash.asked)

    back = _Clients(port)
    server.start()
    at = time.monotonic()
    await back.run(6, until=lambda: any(a.by == "kato-2" for a in back.asked))
    await back.settle()
    returned = min(a.sent + (a.took or 0) for a in back.asked if a.by == "kato-2") - at

    hang = _Clients(port)
    await hang.run(0.5)
    at = time.monotonic()
    server.signal(signal.SIGSTOP)
    await hang.run(5)
    server.signal(signal.SIGCONT)
    await hang.settle()
    stuck = [a.sent for a in hang.asked if a.sent >= at and a.noticed()]
    return Found(round(crashed, 2), failed, round(max(stuck, default=at) - at, 2), round(returned, 2))


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

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._running.send_signal(number)

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
