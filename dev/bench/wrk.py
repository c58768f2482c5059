"""The load generator: ``wrk``, its requests and what it says."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.toolchain import debian_packages

CONNECTIONS = 64

SESSIONS = """\
local number = 0
request = function()
  number = (number + 7919) % 20000
  return wrk.format("GET", "/sessions/session-" .. number .. "/stm")
end
"""
"""A script for wrk: each request is of another of 20,000 sessions."""

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """What one run measured; times in milliseconds."""

    requests_per_second: float
    p50: float
    p99: float


def ensure() -> None:
    """Have wrk; on Debian as root it is installed. Raises SetupError with the cure."""
    debian_packages.ensure({"wrk": "wrk"}, user="the throughput bench")


def run(port: int, script: Path, seconds: int) -> Load:
    """Load 127.0.0.1:port for that long."""
    done = subprocess.run(
        [
            "wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", f"{seconds}s",
            "--latency", "--timeout", "10s",
            "-s", str(script), f"http://127.0.0.1:{port}/",
        ],
        capture_output=True, text=True, timeout=seconds + 30, check=True,
    )  # fmt: skip
    return parse(done.stdout)


def parse(text: str) -> Load:
    """wrk's report as numbers; raises ValueError when a request failed or it is no report."""
    if failed := re.search(r"(Non-2xx or 3xx responses|Socket errors): .*", text):
        raise ValueError(f"requests failed under load: {failed[0]}")
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.MULTILINE)
    if rate is None:
        raise ValueError(f"not a report of wrk:\n{text}")
    return Load(float(rate[1]), _percentile(text, 50), _percentile(text, 99))


def _percentile(text: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"wrk's report has no {percent} % line:\n{text}")
    return round(float(found[1]) * _UNITS[found[2]], 3)
