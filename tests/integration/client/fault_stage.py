"""Three stand-in processes with one Redis behind them, and what can happen to them."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from dev.free_ports import free_ports

ROOT = Path(__file__).parents[3]
WAIT = 20.0
"""Seconds that a process may take to start or to end."""


class Process:
    """One stand-in on a port of its own; can be killed and started again."""

    def __init__(self, port: int, redis_url: str) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._redis = redis_url
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    def start(self) -> None:
        """Start, and wait until it answers."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dev.kato_stand_in"],
            cwd=ROOT,
            env={
                **kept,
                "STAND_IN_HOST": "127.0.0.1",
                "STAND_IN_PORT": str(self.port),
                "STAND_IN_WORK_MS": "1-4",
                "STAND_IN_FIRST_TOUCH_MS": "0",
                "KATO_WORKERS": "1",
                "KATO_LIMIT_CONCURRENCY": "500",
                "REDIS_ENABLED": "true",
                "REDIS_URL": self._redis,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + WAIT
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}/health", timeout=1).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise AssertionError(f"the stand-in on port {self.port} does not start")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(WAIT)
            self._process = None

    def order(self, kind: str, seconds: float = 0.0, count: int | None = None) -> bool:
        """Order a fault; False when the process does not answer."""
        body = {"kind": kind, "seconds": seconds, "count": count}
        try:
            return httpx.post(f"{self.url}/_stand_in/fault", json=body, timeout=2).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def redis() -> Iterator[str]:
    """A real Redis from this project's image; its URL."""
    (port,) = free_ports(1)
    name = f"kato-client-redis-{port}"
    subprocess.run(
        ["docker", "run", "--detach", "--rm", "--name", name, "--network", "host",
         "--entrypoint", "redis-server", _redis_image(), "--port", str(port),
         "--bind", "127.0.0.1", "--save", ""],
        check=True, timeout=120, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + WAIT
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(16).startswith(b"+PONG"):
                        break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError("Redis does not start")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, timeout=60,
                       stdout=subprocess.DEVNULL)  # fmt: skip


def _redis_image() -> str:
    images = subprocess.run(
        ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "kato-lb/redis"],
        check=True, timeout=60, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert images, "no image kato-lb/redis: run 'make images'"
    return sorted(images, key=lambda image: [int(n) for n in re.findall(r"\d+", image)])[-1]


@contextmanager
def processes(redis_url: str, count: int = 3) -> Iterator[list[Process]]:
    """Running stand-ins; whatever became of them, they are gone at the end."""
    running = [Process(port, redis_url) for port in free_ports(count)]
    try:
        for one in running:
            one.start()
        yield running
    finally:
        for one in running:
            one.kill()


class Trouble(threading.Thread):
    """Lets one thing after the other happen to a process, then lets all be well for a while.

    One at a time, mostly: two of three hanging at once would only prove that nothing can be done.
    """

    def __init__(self, running: list[Process], seed: int = 1) -> None:
        super().__init__(name="trouble", daemon=True)
        self._running = running
        self._random = random.Random(seed)
        self._stop_asked = threading.Event()
        self.happened: Counter[str] = Counter()
        self.crash: BaseException | None = None

    def run(self) -> None:
        kinds = ["kill", "stop", "slow", "reset", "burst", "fail_after", "restart"]
        try:
            while not self._stop_asked.is_set():
                self._random.shuffle(kinds)
                for kind in kinds:
                    if self._stop_asked.wait(self._random.uniform(0.3, 0.8)):
                        return
                    self._cause(kind, self._random.choice(self._running))
                    self.happened[kind] += 1
        except BaseException as error:
            self.crash = error
            raise

    def finish(self) -> None:
        """No more trouble; every process serves afterwards."""
        self._stop_asked.set()
        self.join(60)
        assert not self.is_alive()
        assert self.crash is None, self.crash
        for one in self._running:
            one.order("none")

    def _cause(self, kind: str, one: Process) -> None:
        chance = self._random.uniform
        if kind == "kill":
            one.kill()
            time.sleep(chance(0.2, 1.5))
            one.start()
        elif kind == "restart":
            one.signal(signal.SIGTERM)
            time.sleep(chance(0.2, 0.6))
            one.kill()
            one.start()
        elif kind == "stop":
            one.signal(signal.SIGSTOP)
            time.sleep(chance(0.5, 4.0))
            one.signal(signal.SIGCONT)
        elif kind == "slow":
            one.order("slow", seconds=chance(0.3, 3.0), count=40)
        elif kind == "reset":
            one.order("reset", count=25)
        elif kind == "fail_after":
            one.order("fail_after", count=10)
        else:
            self._burst(one)

    def _burst(self, one: Process) -> None:
        """Idle connections up to the process' limit: everybody else gets 503."""
        held: list[socket.socket] = []
        try:
            for _ in range(500):
                held.append(socket.create_connection(("127.0.0.1", one.port), timeout=1))
            time.sleep(0.7)
        except OSError:
            time.sleep(0.2)
        finally:
            for connection in held:
                connection.close()
