"""``python -m dev.bench.monitoring [--rounds N] [--json]``: what being watched costs a balancer.

The same balancer with and without a copy of its log, in turn, in one run. The exporter reads every
line and is scraped as often as Prometheus does it; all share this machine's processors. The aim
counts for servers that work as long as KATO does; idle ones show what is left to save.
"""

import argparse
import contextlib
import json
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from dev.bench import web_servers, wrk
from dev.bench.quiet import tell_if_busy
from dev.bench.ratios import Aim, Comparison, compare
from dev.free_ports import free_ports
from dev.images import catalogue
from dev.toolchain import steps
from kato_balancing import haproxy, nginx
from kato_balancing.model import Balancer
from kato_balancing.monitoring import scraping
from kato_balancing.targets import parse_version

AIM: Final = Aim(0.98, at_least=True)
_SECONDS: Final = scraping.SECONDS
_SERVERS: Final = 3
_OBSERVATION_SECONDS: Final = 0.005
"""The least that KATO 6 takes for an observation (5 to 10 ms, measured)."""
_START_SECONDS: Final = 30
_IMAGES: Final = {"nginx": catalogue.NGINX, "haproxy": catalogue.HAPROXY}


class Work(NamedTuple):
    """What the servers do for a request."""

    title: str
    seconds: float
    """Processor time."""
    aim: Aim | None


_WORKS: Final = (
    Work("5 ms of work a request", _OBSERVATION_SECONDS, AIM),
    Work("servers that do nothing", 0, None),
)


def measure(rounds: int) -> list[Comparison]:
    """Requests per second of both programs, watched and not."""
    wrk.ensure()
    with tempfile.TemporaryDirectory(prefix="kato-bench-") as scratch:
        return [
            one
            for number, work in enumerate(_WORKS)
            for one in _behind(work, Path(scratch) / str(number), rounds)
        ]


def _behind(work: Work, folder: Path, rounds: int) -> list[Comparison]:
    ports = free_ports(_SERVERS)
    with web_servers.uvicorn(ports, folder / "servers", work.seconds):
        return [_one(name, work, ports, folder / name, rounds) for name in _IMAGES]


def _one(program: str, work: Work, servers: Sequence[int], folder: Path, rounds: int) -> Comparison:
    image = _IMAGES[program]
    watched, watched_private, plain, plain_private, metrics = free_ports(5)
    folder.mkdir()
    script = folder / "sessions.lua"
    script.write_text(wrk.SESSIONS)
    with contextlib.ExitStack() as running:
        for name, listener, socket in (
            ("watched", (watched, watched_private), "/c/socket"),
            ("plain", (plain, plain_private), None),
        ):
            text = _rendered(image, servers, listener, socket)
            place = folder / name
            running.enter_context(web_servers.balancer(image.name, text, place, listener[0]))
        names = [f"kato-{i}=127.0.0.1:{port}" for i, port in enumerate(servers)]
        running.enter_context(_scraped_exporter(folder / "watched", metrics, names))
        found = compare(
            f"{program} {image.version}, {work.title}",
            lambda: wrk.run(watched, script, _SECONDS).requests_per_second,
            lambda: wrk.run(plain, script, _SECONDS).requests_per_second,
            rounds=rounds,
            aim=work.aim,
            unit="requests/s",
        )
        _require_lines(metrics)
    return found


def _rendered(
    image: catalogue.LocalImage,
    servers: Sequence[int],
    ports: tuple[int, int],
    socket: str | None,
) -> str:
    model = Balancer.of(
        {
            "pool": {
                "servers": [
                    {"name": f"kato-{i}", "host": "127.0.0.1", "port": port}
                    for i, port in enumerate(servers)
                ]
            },
            "listener": {"port": ports[0], "private_port": ports[1]},
            "log_socket": socket,
        }
    )
    render = nginx.render if image == catalogue.NGINX else haproxy.render
    return render(model, parse_version(image.version))


@contextlib.contextmanager
def _scraped_exporter(folder: Path, port: int, servers: Sequence[str]) -> Iterator[None]:
    """The exporter as the stack runs it, with its socket in ``folder``, scraped all the time."""
    name = f"kato-bench-{secrets.token_hex(4)}"
    folder.chmod(0o777)
    command = [
        "docker", "run", "--detach", "--name", name, "--user", "10001:10001", "--read-only",
        "--sysctl", "net.unix.max_dgram_qlen=512", "--publish", f"127.0.0.1:{port}:9102",
        "--volume", f"{folder}:/c", catalogue.KATO_EXPORTER.name,
        "--socket", "/c/socket", "--listen", "0.0.0.0:9102",
        *(word for server in servers for word in ("--server", server)),
    ]  # fmt: skip
    ended = threading.Event()
    scraper = threading.Thread(target=_scrape, args=(port, ended))
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        _wait_for(port)
        scraper.start()
        yield
    finally:
        ended.set()
        if scraper.is_alive():
            scraper.join()
        subprocess.run(
            ["docker", "rm", "--force", name], check=True, capture_output=True, timeout=60
        )


def _scrape(port: int, ended: threading.Event) -> None:
    while not ended.wait(scraping.SECONDS):
        _metrics(port)


def _metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def _wait_for(port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            _metrics(port)
            return
        time.sleep(0.1)
    raise TimeoutError(f"the exporter does not answer on {port} within {_START_SECONDS} s")


def _require_lines(port: int) -> None:
    """A cost of nothing is none: the lines must have come."""
    [lines] = [
        float(line.split()[1])
        for line in _metrics(port).splitlines()
        if line.startswith("kato_lb_log_lines_total ")
    ]
    if lines < 1000:
        raise RuntimeError(f"the exporter got {lines:g} lines only")
    steps.say(f"the exporter read {lines:,.0f} lines")


def main() -> int:
    """Measure and print; 0 when the aim is met, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.monitoring", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    tell_if_busy()
    try:
        found = measure(arguments.rounds)
    except steps.SetupError as error:
        return steps.fail(error)
    if arguments.json:
        print(json.dumps([_as_dict(one) for one in found]))
    else:
        _print(found)
    return 0 if all(one.holds for one in found) else 1


def _as_dict(one: Comparison) -> dict[str, object]:
    return {
        "title": one.title,
        "ratio": one.ratio,
        "aim": str(one.aim) if one.aim else None,
        "holds": one.holds,
        "unit": one.unit,
        "ours": one.ours,
        "theirs": one.theirs,
    }


def _print(found: list[Comparison]) -> None:
    table = Table(title="Requests per second, medians; a ratio is the median of the pairs")
    for column in ("what", "watched", "not watched", "ratio", "aim", "holds?"):
        table.add_column(column)
    for one in found:
        table.add_row(
            one.title,
            f"{median(one.ours):,.0f}", f"{median(one.theirs):,.0f}",
            f"{one.ratio:.3f}", str(one.aim or "-"), _holds(one),
        )  # fmt: skip
    Console().print(table)


def _holds(one: Comparison) -> str:
    if one.aim is None:
        return "-"
    return "yes" if one.holds else "NO"


if __name__ == "__main__":
    sys.exit(main())
