"""What a changed address of a server does to the requests that wait for the one before."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from balancer_containers import Container, ask
from echo_servers import echo
from name_server import name_server

from dev.free_ports import free_ports
from kato_balancing.model import Balancer
from kato_balancing.placement.sample import session_ids

NAMES = ("kato-0", "kato-1", "kato-2")
RESOLVER, HERE, GONE = "127.0.53.1", "127.0.0.1", "127.0.53.2"


@contextlib.contextmanager
def silence(address: str, port: int) -> Iterator[None]:
    """Nobody accepts or refuses there, as at the address of a container that was removed: the
    connections that the system would take for a program are all taken."""
    with contextlib.ExitStack() as held:
        held.enter_context(socket.create_server((address, port), backlog=0))
        held.enter_context(socket.create_connection((address, port), 5))
        yield


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_requests_that_waited_for_the_old_address_are_served(method: str, run) -> None:
    port, private = free_ports(2)
    where = {"kato-0.test": GONE, "kato-1.test": HERE, "kato-2.test": HERE}
    with echo(*NAMES) as echoing, name_server(RESOLVER, where):
        servers = [{**one, "host": f"{one['name']}.test"} for one in echoing.listed(*NAMES)]
        settings = {
            "pool": {"servers": servers},
            "listener": {"port": port, "private_port": private},
            "resolver": {"address": RESOLVER},
            # All wait for kato-0, however many found nobody there.
            "health": {"passive": {"failures": 1000}},
        }
        with silence(GONE, echoing.servers["kato-0"].port):
            running = run("nginx:1.30", Balancer.of(settings))
            _until_known(port)
            change = threading.Timer(1.5, where.update, [{"kato-0.test": HERE}])
            change.start()
            paths = [f"/sessions/{one}/stm" for one in session_ids(600)]
            answers = ask(port, paths, method=method, connections=60)
            change.join(10)
    assert {answer.status for answer in answers} == {200}
    caught = [line for line in _logged(running, len(paths)) if ", kato : " in line["upstream"]]
    assert caught
    assert {line["status"] for line in caught} == {"200"}


def _until_known(port: int) -> None:
    """Until nginx has looked the servers up."""
    deadline = time.monotonic() + 15
    while {answer.status for answer in ask(port, ["/sessions"] * 4)} != {200}:
        assert time.monotonic() < deadline, "no server is known after 15 s"
        time.sleep(0.1)


def _logged(running: Container, count: int) -> list[dict[str, str]]:
    """The session requests, once there are ``count``; nginx writes them a second later."""
    deadline = time.monotonic() + 10
    while True:
        lines = [json.loads(line) for line in running.logs().splitlines() if line[:1] == "{"]
        found = [line for line in lines if line["session"]]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"{len(found)} of {count} requests logged after 10 s"
        time.sleep(0.2)
