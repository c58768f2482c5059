"""Places, clients and questions of the tests of GeoDNS, on whatever the servers run."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from pulumi_stack import run

PLACES = {
    "eu": (50.1, 8.7),
    "us": (39.0, -77.5),
    "asia": (1.3, 103.8),
    "sa": (-23.5, -46.6),
}
"""Frankfurt, Ashburn, Singapore and Sao Paulo."""

CLIENTS = {
    "eu": "198.51.100.0/24",
    "us": "203.0.113.0/24",
    "asia": "192.0.2.0/24",
    "sa": "100.64.0.0/24",
}
"""A network near each region."""

NAME = "kato.example.com"
HEALTH_PATH = "/sessions/lb-probe/exists"
BACKUP = ["192.0.2.250"]


def dig(
    port: int, subnet: str, *more: str, server: str = "127.0.0.1", kind: str = "A"
) -> list[str]:
    """The addresses that a client of the subnet gets, sorted; none when nobody answers."""
    done = run([
        "dig", f"@{server}", "-p", str(port), NAME, kind, f"+subnet={subnet}",
        "+short", "+norecurse", "+tries=1", "+time=2", *more,
    ])  # fmt: skip
    return sorted(line for line in done.stdout.splitlines() if not line.startswith(";"))


def wait_for(condition: Callable[[], bool], what: str, limit: float = 60) -> float:
    """Seconds until the condition holds; fails with ``what`` after ``limit`` seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < limit, f"not within {limit:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - started


def dns_inputs(
    addresses: Mapping[str, str], *, health_ports: Mapping[str, int], **more: Any
) -> dict[str, Any]:
    """Inputs of GeoDns for regions at these addresses, each with its clients."""
    return {
        "zone": NAME,
        "name_servers": ["ns1.example.net"],
        "regions": [
            {
                "name": name,
                "addresses": [address],
                "location": dict(zip(("latitude", "longitude"), PLACES[name], strict=True)),
                "health_url": f"http://{NAME}:{health_ports[name]}{HEALTH_PATH}",
            }
            for name, address in addresses.items()
        ],
        "networks": [{"network": CLIENTS[name], "region": name} for name in addresses],
        "backup": {"addresses": BACKUP},
        **more,
    }
