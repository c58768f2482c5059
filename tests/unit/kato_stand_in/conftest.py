"""Ways to run the stand-in: as an application in this process, and as a process of its own."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakeredis import FakeAsyncRedis, FakeServer

ROOT = Path(__file__).parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # the stand-in is no installed package

from dev.kato_stand_in.app import create_app  # noqa: E402
from dev.kato_stand_in.environment import Settings, settings_from  # noqa: E402

SECONDS = 20
"""Bound of every wait for a process."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings() -> Settings:
    """Redis on, and no time lost with work."""
    base = settings_from({"REDIS_ENABLED": "true"})
    return replace(base, work=(0.0, 0.0), first_touch=0.0, sequence_item=0.0)


@pytest.fixture
def redis_server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def redis_client(redis_server: FakeServer) -> Callable[[], FakeAsyncRedis]:
    """Makes clients of one fake Redis."""
    return lambda: FakeAsyncRedis(server=redis_server, decode_responses=True)


@pytest.fixture
async def instance(
    settings: Settings, redis_client: Callable[[], FakeAsyncRedis]
) -> AsyncIterator[Callable[..., Any]]:
    """Makes HTTP clients, each of a new instance; all share one fake Redis unless told."""
    async with AsyncExitStack() as stack:

        async def start(**parts: Any) -> httpx.AsyncClient:
            parts.setdefault("settings", settings)
            parts.setdefault("redis", redis_client())
            transport = httpx.ASGITransport(create_app(**parts), raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://kato")
            return await stack.enter_async_context(client)

        yield start


@pytest.fixture
async def kato(instance: Callable[..., Any]) -> httpx.AsyncClient:
    """A client of one instance."""
    client: httpx.AsyncClient = await instance()
    return client


@pytest.fixture
async def session(kato: httpx.AsyncClient) -> str:
    """The path of a new session."""
    answer = await kato.post("/sessions", json={"node_id": "node"})
    return f"/sessions/{answer.json()['session_id']}"


class Running:
    """One stand-in process on a free port of the loopback interface."""

    def __init__(self, **environment: str) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        fixed = {
            "STAND_IN_HOST": "127.0.0.1",
            "STAND_IN_PORT": "0",
            "KATO_WORKERS": "1",
            "REDIS_ENABLED": "true",
            "STAND_IN_FIRST_TOUCH_MS": "0",
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dev.kato_stand_in"],
            cwd=ROOT,
            env={**kept, **fixed, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for a log line."""

        def found() -> re.Match[str] | None:
            return next((hit for line in self.lines if (hit := re.search(pattern, line))), None)

        with self._news:
            self._news.wait_for(lambda: found() or self._ended, SECONDS)
            hit = found()
        assert hit, f"no line {pattern!r} in {self.lines}"
        return hit

    @property
    def port(self) -> int:
        """The port, as soon as the process listens."""
        return int(self.line(r"running on http://127\.0\.0\.1:(\d+)")[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> int:
        """The exit status; negative for a signal."""
        return self.process.wait(SECONDS)

    def close(self) -> None:
        """End this process if a test has not."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        if self.process.stderr is not None:
            self.process.stderr.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts processes and ends them after the test."""
    running: list[Running] = []

    def begin(**environment: str) -> Running:
        running.append(Running(**environment))
        return running[-1]

    yield begin
    for process in running:
        process.close()


@pytest.fixture(scope="module")
def shared_process() -> Iterator[Running]:
    """One process for tests that leave it alive."""
    process = Running()
    yield process
    process.close()
