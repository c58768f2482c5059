"""What the Docker engine says of a container."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from pulumi_stack import must, run


def inspect(container: str) -> dict[str, Any]:
    """The container as the engine describes it."""
    found: dict[str, Any] = json.loads(must(["docker", "inspect", container]))[0]
    return found


def address(container: str) -> str:
    """The container's address on its only network."""
    networks = inspect(container)["NetworkSettings"]["Networks"]
    (network,) = networks.values()
    return str(network["IPAddress"])


def kill_process(container: str) -> None:
    """SIGKILL the container's first process, as a crash would end it."""
    os.kill(int(inspect(container)["State"]["Pid"]), signal.SIGKILL)


def started_at(container: str) -> str:
    """When the container's present process was started."""
    return str(inspect(container)["State"]["StartedAt"])


def healthy(container: str) -> bool:
    """True when the engine's own check of the container succeeds."""
    state = inspect(container)["State"]
    return state["Status"] == "running" and state["Health"]["Status"] == "healthy"


def access_log(container: str) -> Iterator[dict[str, str]]:
    """The requests that the balancer logged."""
    done = run(["docker", "logs", container], limit=60)
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def wait_until(condition: Callable[[], bool], what: str, limit: float = 60) -> None:
    """Return when the condition holds; fails with ``what`` after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit:g} s: {what}"
        time.sleep(0.1)
