"""A real process: how it starts, refuses to start, and ends."""

import http.client
import json
import signal
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

Start = Callable[..., Any]


def wait_until_refused(port: int) -> None:
    """Return when nothing listens any more; the process's own end bounds this."""
    for _ in range(100_000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except ConnectionRefusedError:
            return
    raise AssertionError("still listening")


def test_term_finishes_what_is_in_flight(start: Start) -> None:
    kato = start(STAND_IN_WORK_MS="1000")
    created = httpx.post(f"{kato.url}/sessions", json={"node_id": "n"}, timeout=10).json()
    body = json.dumps({"strings": ["a"]}).encode()
    head = (
        f"POST /sessions/{created['session_id']}/observe HTTP/1.1\r\nhost: kato\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "expect: 100-continue\r\n\r\n"
    )
    with (
        connect(f"ws://127.0.0.1:{kato.port}/ws/events", open_timeout=10) as client,
        socket.create_connection(("127.0.0.1", kato.port), timeout=10) as link,
    ):
        client.recv(timeout=10)
        link.sendall(head.encode())
        # The application asks for the body: from here on the request is in flight.
        assert link.recv(1024).startswith(b"HTTP/1.1 100")
        link.sendall(body)
        kato.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        wait_until_refused(kato.port)
        answer = http.client.HTTPResponse(link)
        answer.begin()
        assert answer.status == 200
        assert json.loads(answer.read())["stm_length"] == 1
    assert kato.wait() == -signal.SIGTERM


def is_silent(port: int) -> bool:
    """Whether /health is not answered within half a second."""
    try:
        httpx.get(f"http://127.0.0.1:{port}/health", timeout=0.5)
    except httpx.ReadTimeout:
        return True
    return False


def test_a_hung_process_ignores_term(start: Start) -> None:
    kato = start(STAND_IN_FAULT="hang")
    with socket.create_connection(("127.0.0.1", kato.port), timeout=10) as link:
        link.sendall(b"GET /sessions/any/stm HTTP/1.1\r\nhost: kato\r\n\r\n")
        # The first probes may still come before the request that hangs.
        assert any(is_silent(kato.port) for _ in range(100))
        kato.process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            kato.process.wait(0.5)
        kato.process.kill()
    assert kato.wait() == -signal.SIGKILL


def test_a_bad_environment_is_one_line(start: Start) -> None:
    kato = start(REDIS_PORT="tcp://10.96.0.7:6379")
    assert kato.wait() == 1
    kato.close()
    assert kato.lines == ["kato_stand_in: REDIS_PORT must be an integer from 1 to 65535"]


def test_no_redis_at_boot(start: Start) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
        one = start(REDIS_URL=url, STAND_IN_BOOT_SECONDS="0.5")
        several = start(REDIS_URL=url, STAND_IN_BOOT_SECONDS="0.5", KATO_WORKERS="2")
        assert one.wait() != 0
        one.line("Application startup failed")
        assert not any("running on" in line for line in one.lines)
        several.line(r"Child process \[\d+\] died")
        assert several.process.poll() is None
