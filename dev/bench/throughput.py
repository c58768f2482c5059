"""Requests per second and latency: the rendered file against the guide's own, paired in one run."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from dev.bench import guide_files, web_servers, wrk
from dev.bench.ratios import Aim, Comparison, compare
from dev.free_ports import free_ports
from kato_balancing import haproxy, nginx
from kato_balancing.model import Balancer
from kato_balancing.targets import parse_version

SECONDS = 2
SERVERS = 3


@dataclass(frozen=True)
class Case:
    """One comparison. ``guide`` makes the guide's file for a port and the servers' ports."""

    program: str
    version: str
    strategy: str
    settings: Mapping[str, Any]
    guide: Callable[[int, Sequence[int]], str]
    backend: str
    aim: Aim | None

    @property
    def title(self) -> str:
        """What the case is called in tables."""
        return f"{self.program} {self.version}, {self.strategy}, {self.backend} servers"

    @property
    def image(self) -> str:
        """The local image of the balancer."""
        return f"kato-lb/{self.program.lower()}:{self.version}"


@dataclass(frozen=True)
class Throughput:
    """A case, its requests per second, and the medians of its latencies in milliseconds."""

    case: Case
    rate: Comparison
    ours: wrk.Load
    guide: wrk.Load


_AIMS = {"trivial": Aim(3.0, at_least=True), "uvicorn": Aim(1.9, at_least=True)}
_BACKENDS: Mapping[str, Callable[[Sequence[int], Path], AbstractContextManager[None]]] = {
    "trivial": web_servers.trivial,
    "uvicorn": web_servers.uvicorn,
}


def cases(backend: str) -> Iterator[Case]:
    """What is compared with one kind of servers.

    Only the older nginx has an aim: from 1.29.7 on, nginx itself keeps connections to servers,
    which is most of what the guide's file lacks. The guide's HAProxy file keeps them too, and
    writes no log, which costs ours a write for every request: both ways are shown.
    """
    for version, aim in (("1.22", _AIMS[backend]), ("1.30", None)):
        for strategy, settings, guide in (
            ("round robin", {"affinity": "NONE"}, guide_files.nginx_round_robin),
            ("session hash", {}, guide_files.nginx_session_hash),
        ):
            yield Case("nginx", version, strategy, settings, guide, backend, aim)
    for version in ("2.6", "3.2"):
        for title, logged in (("cookie", True), ("cookie, no log", False)):
            chosen = {"affinity": "COOKIE", "access_log": logged}
            guide = guide_files.haproxy_cookie
            yield Case("HAProxy", version, title, chosen, guide, backend, None)


def measure(rounds: int) -> list[Throughput]:
    """Every case, with both kinds of servers."""
    wrk.ensure()
    found = []
    with tempfile.TemporaryDirectory(prefix="kato-bench-") as scratch:
        for backend, start in _BACKENDS.items():
            folder = Path(scratch) / backend
            ports = free_ports(SERVERS)
            with start(ports, folder / "servers"):
                for number, case in enumerate(cases(backend)):
                    found.append(_one(case, ports, folder / str(number), rounds))
    return found


def rendered(case: Case, port: int, private_port: int, servers: Sequence[int]) -> str:
    """Our file for a case."""
    listed = [
        {"name": f"kato-{i}", "host": "127.0.0.1", "port": server}
        for i, server in enumerate(servers)
    ]
    model = Balancer.of(
        {
            "pool": {"servers": listed},
            "listener": {"port": port, "private_port": private_port},
            **case.settings,
        }
    )
    render = nginx.render if case.program == "nginx" else haproxy.render
    return render(model, parse_version(case.version))


def _one(case: Case, servers: Sequence[int], folder: Path, rounds: int) -> Throughput:
    port, private_port, guide_port = free_ports(3)
    folder.mkdir(parents=True)
    script = folder / "sessions.lua"
    script.write_text(wrk.SESSIONS)
    ours: list[wrk.Load] = []
    guide: list[wrk.Load] = []

    def loaded(where: int, loads: list[wrk.Load]) -> float:
        loads.append(wrk.run(where, script, SECONDS))
        return loads[-1].requests_per_second

    with _balancers(case, folder, (port, private_port, guide_port), servers):
        rate = compare(
            case.title,
            lambda: loaded(port, ours),
            lambda: loaded(guide_port, guide),
            rounds=rounds,
            aim=case.aim,
            unit="requests/s",
        )
    return Throughput(case, rate, _middle(ours[1:]), _middle(guide[1:]))


@contextmanager
def _balancers(
    case: Case, folder: Path, ports: tuple[int, int, int], servers: Sequence[int]
) -> Iterator[None]:
    port, private_port, guide_port = ports
    files = {
        "ours": (rendered(case, port, private_port, servers), port),
        "guide": (case.guide(guide_port, servers), guide_port),
    }
    with ExitStack() as running:
        for name, (text, listening) in files.items():
            running.enter_context(web_servers.balancer(case.image, text, folder / name, listening))
        yield


def _middle(loads: Sequence[wrk.Load]) -> wrk.Load:
    return wrk.Load(
        median(load.requests_per_second for load in loads),
        median(load.p50 for load in loads),
        median(load.p99 for load in loads),
    )
