"""What a reload, a crash, a hang and a learned table do to clients of the real HAProxy."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from balancer_containers import Answer, Container, ask, wait_for_port
from conftest import render
from echo_servers import Echo, echo

from dev.free_ports import free_ports
from kato_balancing import haproxy
from kato_balancing.model import Balancer
from kato_balancing.placement import ring_of
from kato_balancing.placement.sample import session_ids

NAMES = ("kato-0", "kato-1", "kato-2")
VERSIONS = ["haproxy:2.6", "haproxy:3.2"]


@pytest.fixture
def echoing():
    with echo(*NAMES, "kato-3") as servers:
        yield servers


def names_of(answers: list[Answer]) -> list[str]:
    return [json.loads(answer.body)["server"] for answer in answers]


def reload(running: Container, target: str, model: Balancer) -> None:
    """A new configuration, and the processes of the one before still ending."""
    (running.folder / "balancer.cfg").write_text(render(target, model))
    before = running.logs().count("Loading success")
    running.signal("USR2")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and running.logs().count("Loading success") == before:
        time.sleep(0.05)
    assert running.logs().count("Loading success") > before, running.logs()


class Clients:
    """Closed-loop clients on kept connections; every failure is kept."""

    def __init__(self, port: int, count: int) -> None:
        self.failures: list[str] = []
        self.asked = 0
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._loop, args=(i,)) for i in range(count)]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)

    def _loop(self, number: int) -> None:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        rounds = 0
        while not self._over.is_set():
            rounds += 1
            self.asked += 1
            method = "POST" if rounds % 2 else "GET"
            try:
                connection.request(method, f"/sessions/s{number}-{rounds}/x", body=b"")
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(f"{method} {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{method} {error!r}")
                connection.close()
            time.sleep(0.01)


@pytest.mark.parametrize("target", VERSIONS)
def test_reloads_and_drains_lose_no_request(target, echoing: Echo, run):
    port, private = free_ports(2)

    def model(draining: str | None = None) -> Balancer:
        servers = [{**s, "draining": s["name"] == draining} for s in echoing.listed(*NAMES)]
        listener = {"port": port, "private_port": private}
        return Balancer.of({"pool": {"servers": servers}, "listener": listener, "access_log": False,
                            "drain": {"seconds": 10, "keep_alive": 2}})  # fmt: skip

    running = run(target, model())
    with Clients(port, 32) as clients:
        time.sleep(0.3)
        for draining in ("kato-0", None, "kato-1", None, "kato-2", None):
            reload(running, target, model(draining))
            if draining:
                time.sleep(0.2)
                before = len(echoing.servers[draining].requests)
                time.sleep(0.3)
                assert len(echoing.servers[draining].requests) - before < 30
            time.sleep(0.2)
    assert clients.failures == []
    assert clients.asked > 1000


@pytest.mark.parametrize("target", ["haproxy:3.2"])
def test_the_table_moves_no_live_session_when_a_server_is_added(target, echoing: Echo, run):
    port, private = free_ports(2)

    def model(names: tuple[str, ...], learned: bool) -> Balancer:
        more = {"learned": {}} if learned else {}
        return Balancer.of(
            {
                "pool": {"servers": echoing.listed(*names)},
                "listener": {"port": port, "private_port": private},
                "access_log": False,
                **more,
            }
        )

    ids = list(session_ids(2000, seed=5))
    paths = [f"/sessions/{i}/stm" for i in ids]
    running = run(target, model(NAMES, learned=True))
    first = names_of(ask(port, paths))
    ring = ring_of(model(NAMES, learned=True), "haproxy")
    assert first == [ring.owner(i) for i in ids]
    for _ in range(2):
        reload(running, target, model((*NAMES, "kato-3"), learned=True))
        time.sleep(1)
        after = names_of(ask(port, paths))
        moved = sum(a != b for a, b in zip(first, after, strict=True))
        assert moved == 0, f"{moved} of 2000 live sessions moved"
    newer = Counter(names_of(ask(port, [f"/sessions/{i}" for i in session_ids(400, seed=6)])))
    assert newer["kato-3"] > 50


_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.mark.parametrize(
    ("target", "more"),
    [
        ("haproxy:2.6", ()),
        ("haproxy:3.2", ()),
        ("haproxy:3.2", ("learned",)),
        ("haproxy:3.2", ("canary",)),
    ],
    ids=["2.6", "3.2", "learned", "canary"],
)
def test_probes_that_no_server_answers_take_no_session_away(target, more, echoing: Echo, run):
    """A machine that is too busy for its probes still serves, each session at its owner."""
    port, private = free_ports(2)
    settings = {
        "learned": {"timeout": 4 * 3600},
        "canary": {"pool": {"servers": echoing.listed("kato-3")}, "share": 40},
    }
    balancer = Balancer.of(
        {
            "pool": {"servers": echoing.listed(*NAMES)},
            "listener": {"port": port, "private_port": private},
            **{name: settings[name] for name in more},
        }
    )
    running = run(target, balancer)
    paths = [f"/sessions/{session}/stm" for session in session_ids(60)]
    owners = names_of(ask(port, paths))
    for server in echoing.servers.values():
        server.probe_delay = 60
    _until_logged(running, *(f"Server kato/{name} is DOWN" for name in NAMES))
    if "canary" in more:
        _until_logged(running, "Server kato_canary/kato-3 is DOWN")

    reads, writes = ask(port, paths), ask(port, paths, method="POST")
    [without_session] = ask(port, ["/sessions"])

    assert {answer.status for answer in (*reads, *writes, without_session)} == {200}
    assert names_of(reads) == names_of(writes) == owners
    for server in echoing.servers.values():
        server.probe_delay = 0
    _until_logged(running, *(f"Server kato/{name} is UP" for name in NAMES))
    assert names_of(ask(port, paths)) == owners


@pytest.mark.parametrize(("target", "goes"), [("haproxy:2.6", True), ("haproxy:3.2", False)])
def test_one_slow_probe_after_a_start_takes_no_server_away(target, goes, echoing: Echo, run):
    """As a reload starts a process, that would move sessions. On 2.6 nothing can prevent it."""
    port, private = free_ports(2)
    listener = {"port": port, "private_port": private}
    model = Balancer.of({"pool": {"servers": echoing.listed(*NAMES)}, "listener": listener})
    slow = echoing.servers["kato-0"]
    slow.slow_probes = 1

    running = run(target, model)
    deadline = time.monotonic() + 15
    while slow.slow_probes or slow.probes < 3:
        assert time.monotonic() < deadline, f"{slow.probes} probes were answered after 15 s"
        time.sleep(0.05)

    assert ("Server kato/kato-0 is DOWN" in running.logs()) is goes


def _until_logged(running: Container, *lines: str) -> None:
    deadline = time.monotonic() + 15
    while missing := [line for line in lines if line not in running.logs()]:
        assert time.monotonic() < deadline, f"{missing} not within 15 s:\n{running.logs()}"
        time.sleep(0.1)


@pytest.mark.parametrize("target", VERSIONS)
def test_a_crash_and_a_hang_are_found_and_a_return_is_seen(target, echoing: Echo, run):
    port, private, own = free_ports(3)
    servers = [*echoing.listed("kato-0"), {"name": "kato-9", "host": "127.0.0.1", "port": own}]
    balancer = Balancer.of(
        {"pool": {"servers": servers}, "listener": {"port": port, "private_port": private}}
    )

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", _SERVER, str(own)])

    process = start()
    try:
        running = run(target, balancer)
        wait_for_port(own, running)
        _until(private, up=True, seconds=5)
        process.send_signal(signal.SIGSTOP)
        assert _until(private, up=False, seconds=5) <= 3.2
        process.send_signal(signal.SIGCONT)
        assert _until(private, up=True, seconds=5) <= 2
        process.kill()
        process.wait()
        assert _until(private, up=False, seconds=5) <= 1.3
        process = start()
        assert _until(private, up=True, seconds=5) <= 2
    finally:
        process.kill()
        process.wait()


def _until(private: int, *, up: bool, seconds: float) -> float:
    """Seconds until HAProxy says that kato-9 is up, or down."""
    wanted = (
        f'haproxy_server_status{{proxy="kato",server="kato-9",state="{"UP" if up else "DOWN"}"}} 1'
    )
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        with socket.create_connection(("127.0.0.1", private), 5) as client:
            client.sendall(f"GET {haproxy.METRICS_PATH} HTTP/1.0\r\n\r\n".encode())
            if wanted in client.makefile("rb").read().decode():
                return time.monotonic() - start
        time.sleep(0.05)
    raise AssertionError(f"kato-9 is not {'up' if up else 'down'} after {seconds} s")


@pytest.mark.parametrize("target", VERSIONS)
def test_a_websocket_passes_and_their_number_is_limited(target, run, echoing: Echo):
    port, private = free_ports(2)
    balancer = Balancer.of(
        {
            "pool": {"servers": echoing.listed(*NAMES)},
            "listener": {"port": port, "private_port": private},
            "limits": {"websockets": 2},
        }
    )
    for name in NAMES:
        echoing.servers[name].delay = 1.0
    run(target, balancer)

    found = Counter(a.status for a in ask(port, ["/ws/events"] * 6, connections=6))
    assert found == {200: 2, 503: 4}
