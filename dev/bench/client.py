"""``python -m dev.bench.client [--rounds N] [--json]``: what the client library costs and saves.

Cost: the same calls on a kept connection, with the client and with bare httpx, in turn in one run,
to a server that does nothing; against KATO, whose calls take milliseconds, the ratio is nearer to
1. Steering: calls of new sessions while one of three instances is ten times slower, against the
two others alone.
"""

import argparse
import json
import multiprocessing
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from statistics import median, quantiles

import httpx
from rich.console import Console
from rich.table import Table

from dev.bench.quiet import tell_if_busy
from dev.bench.ratios import Aim, Comparison, compare
from kato_balancing.client import FailoverClient, Policy

CALLS = 1000
AIM = Aim(1.25)
SESSION = "session-0123456789abcdef0123456789abcdef-1760000000000"
DELAY = 0.01
"""Seconds that a call takes at an instance that is not slow."""
SLOWER = 10
SESSIONS, OBSERVATIONS, CALLERS = 60, 5, 4
START_SECONDS = 10
TAIL = Aim(1.5)


@contextmanager
def server(delay: float = 0.0) -> Iterator[str]:
    """A server that answers each request after ``delay`` seconds and keeps nothing; its URL.

    A process of its own: in the caller's, both would wait for one interpreter lock.
    """
    processes = multiprocessing.get_context("spawn")
    ours, its = processes.Pipe()
    process = processes.Process(target=_accept, args=(its, delay), daemon=True)
    process.start()
    try:
        if not ours.poll(START_SECONDS):
            raise TimeoutError(f"the server did not start within {START_SECONDS} s")
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join(START_SECONDS)


def _accept(parent: Connection, delay: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        parent.send(listening.getsockname()[1])
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_serve, args=(connection, delay), daemon=True).start()


def _serve(connection: socket.socket, delay: float) -> None:
    with connection:
        waiting = b""
        while part := connection.recv(65536):
            waiting += part
            while (end := _end_of_request(waiting)) is not None:
                waiting = waiting[end:]
                if delay:
                    time.sleep(delay)
                connection.sendall(_answer())


def _answer() -> bytes:
    """KATO's answer to any call, as far as the client reads it."""
    session = f"session-{secrets.token_hex(16)}-1760000000000"
    body = (f'{{"session_id": "{session}", "stm": [], "stm_length": 1, "time": 1}}').encode()
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-trace-id: kato-0\r\n"
        b"content-length: %d\r\n\r\n%s" % (len(body), body)
    )


def _end_of_request(waiting: bytes) -> int | None:
    head = waiting.find(b"\r\n\r\n")
    if head < 0:
        return None
    length = 0
    for line in waiting[:head].lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line[15:])
    end = head + 4 + length
    return end if len(waiting) >= end else None


def _read(client: httpx.Client | FailoverClient) -> Callable[[], float]:
    return lambda: _timed(lambda: client.request("GET", f"/sessions/{SESSION}/stm"))


def _write(client: httpx.Client | FailoverClient) -> Callable[[], float]:
    body = {"strings": ["hello"], "vectors": [], "emotives": {}}
    return lambda: _timed(lambda: client.request("POST", f"/sessions/{SESSION}/observe", json=body))


def _timed(call: Callable[[], httpx.Response]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1e6


def measure(rounds: int) -> list[Comparison]:
    """Microseconds per call, ours against bare httpx."""
    policy = Policy(check_health=False)
    with (
        server() as url,
        FailoverClient([url], policy) as ours,
        httpx.Client(base_url=url) as bare,
    ):
        return [
            compare(title, way(ours), way(bare), rounds=rounds, aim=AIM, unit="µs")
            for title, way in (("read of a session", _read), ("observation", _write))
        ]


def measure_steering(rounds: int) -> Comparison:
    """99th percentile, in milliseconds, of the calls of new sessions."""
    with (
        server(DELAY) as one,
        server(DELAY) as other,
        server(DELAY * SLOWER) as slow,
        FailoverClient([one, other, slow], Policy(check_health=False)) as three,
        FailoverClient([one, other], Policy(check_health=False)) as two,
    ):
        return compare(
            "p99, one of three slow", lambda: _tail(three), lambda: _tail(two),
            rounds=rounds, aim=TAIL, unit="ms",
        )  # fmt: skip


def _tail(client: FailoverClient) -> float:
    """One session after the other by each caller: made, then written."""
    seconds: list[float] = []

    def timed(call: Callable[[], object]) -> None:
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)

    def work() -> None:
        for number in range(SESSIONS):
            made: list[str] = []
            timed(lambda made=made: made.append(client.create_session("bench")))  # type: ignore[misc]
            session = client.attach(made[0])
            for turn in range(OBSERVATIONS):
                timed(lambda s=session, t=f"{number}-{turn}": s.observe([t]))  # type: ignore[misc]

    callers = [threading.Thread(target=work) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return 1000 * quantiles(seconds, n=100)[98]


def main() -> int:
    """Measure and print; 0 when every aim is met, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.client", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="counted rounds (default 9)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    tell_if_busy()
    found = [*measure(arguments.rounds), measure_steering(arguments.rounds)]
    if arguments.json:
        print(json.dumps([_as_dict(one) for one in found]))
    else:
        _print(found)
    return 0 if all(one.holds for one in found) else 1


def _as_dict(one: Comparison) -> dict[str, object]:
    return {"title": one.title, "ratio": one.ratio, "aim": str(one.aim), "holds": one.holds,
            "unit": one.unit, "ours": one.ours, "theirs": one.theirs}  # fmt: skip


def _print(found: list[Comparison]) -> None:
    table = Table(title="Calls, medians; a ratio is the median of the pairs")
    for column in ("what", "the client", "bare httpx, or two alone", "ratio", "aim", "holds?"):
        table.add_column(column)
    for one in found:
        table.add_row(
            one.title,
            f"{median(one.ours):.0f} {one.unit}", f"{median(one.theirs):.0f} {one.unit}",
            f"{one.ratio:.2f}", f"≤ {one.aim.number:g}" if one.aim else "",
            "yes" if one.holds else "NO",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
