"""Where one strategy is tried on one balancer: its servers, its container, its reloads."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from balancer_containers import Answer, Container, ask, balancer
from conftest import render
from echo_servers import Echo, echo

from dev.free_ports import free_ports
from kato_balancing.model import Balancer

CERTIFICATE = {"certificate": "/c/kato.pem", "key": "/c/kato.pem.key"}


@dataclass(frozen=True)
class Strategy:
    """A row of the table. ``settings`` and ``servers`` are what a user writes; only addresses and
    ports are added here. ``behaviour`` tries it and says what was seen."""

    name: str
    settings: Mapping[str, Any]
    servers: Sequence[Mapping[str, Any]]
    behaviour: "Callable[[Stage], str]"

    def model(self, addresses: Mapping[str, tuple[str, int]], **more: Any) -> Balancer:
        """The balancer with its servers at these addresses: name → host and port."""
        settings = {**self.settings, **more}
        servers = settings.pop("servers", self.servers)
        settings["pool"] = {"servers": [_at(s, addresses) for s in servers]}
        if canary := settings.get("canary"):
            placed = [_at(s, addresses) for s in canary["pool"]["servers"]]
            settings["canary"] = {**canary, "pool": {"servers": placed}}
        return Balancer.of(settings)


def _at(server: Mapping[str, Any], addresses: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    host, port = addresses[server["name"]]
    return {**server, "host": host, "port": port}


@dataclass
class Stage:
    """One strategy on one target, for the length of a ``with`` block."""

    strategy: Strategy
    target: str
    images: Mapping[str, str]
    answering: Mapping[str, int]
    """Servers that are always there, each with its name as the answer: name → port."""
    folder: Path
    _open: ExitStack = field(default_factory=ExitStack)
    _started: int = 0

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def program(self) -> str:
        """``nginx`` or ``haproxy``."""
        return self.target.partition(":")[0]

    def echo(self, *more: str) -> Echo:
        """Servers that can be told to fail: the strategy's own, and others."""
        names = [str(server["name"]) for server in self.strategy.servers]
        return self._open.enter_context(echo(*names, *more))

    def model(self, ports: Mapping[str, int] | None = None, **more: Any) -> Balancer:
        """The strategy's balancer in front of the servers at these ports of 127.0.0.1, or of
        those that are always there."""
        if "listener" not in more:
            port, private = free_ports(2)
            more["listener"] = {"port": port, "private_port": private}
        more["listener"] = {**self.strategy.settings.get("listener", {}), **more["listener"]}
        addresses = {n: ("127.0.0.1", p) for n, p in (ports or self.answering).items()}
        return self.strategy.model(addresses, **more)

    def start(self, model: Balancer, target: str | None = None) -> Container:
        """The balancer, listening; its certificate is beside its configuration."""
        target = target or self.target
        self._started += 1
        folder = self.folder / f"balancer-{self._started}"
        folder.mkdir()
        if model.tls is not None:
            make_certificate(folder)
        return self._open.enter_context(
            balancer(self.images[target], render(target, model), folder, model.listener.port)
        )

    def reload(self, running: Container, model: Balancer) -> None:
        """Give a running balancer another configuration."""
        (running.folder / "balancer.cfg").write_text(render(self.target, model))
        if self.program == "nginx":
            before = _workers(running)
            running.signal("HUP")
            _wait(lambda: not _workers(running) <= before, running)
            # The master tells the old workers right after it has made the new ones.
            time.sleep(0.3)
        else:
            loaded = running.logs().count("Loading success")
            running.signal("USR2")
            _wait(lambda: running.logs().count("Loading success") > loaded, running)


def ports_of(servers: Echo) -> dict[str, int]:
    """Name → port."""
    return {name: server.port for name, server in servers.servers.items()}


def bodies(port: int, paths: Sequence[str], **more: Any) -> list[str]:
    """Every answer's text; all of them must be 200."""
    answers: list[Answer] = ask(port, paths, **more)
    assert {a.status for a in answers} == {200}
    return [a.body for a in answers]


def make_certificate(folder: Path) -> None:
    """A certificate and its key that the container's user can read."""
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "9",
            "-subj", "/CN=kato", "-keyout", "kato.pem.key", "-out", "kato.pem",
        ],
        cwd=folder, check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    (folder / "kato.pem.key").chmod(0o644)


def _workers(running: Container) -> set[str]:
    return set(running.shell("cat /proc/1/task/1/children").split())


def _wait(done: Callable[[], bool], running: Container, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, running.logs()
        time.sleep(0.05)
