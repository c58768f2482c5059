"""Programs, region servers and questions of the tests of several regions."""

import contextlib
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pulumi_stack import PulumiStack, must, run

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

_HEALTH = """
worker_processes 1; pid /tmp/pid; error_log /dev/stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
  uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
  server {
    listen 8000;
    location = /sessions/lb-probe/exists {
      if (-f /tmp/down) { return 503; }
      return 200 '{"exists":false}';
    }
  }
}
"""


@dataclass(frozen=True)
class RegionServer:
    """A container that stands for a region's public address."""

    container: str
    address: str

    def fail(self) -> None:
        """Answer 503 from now on."""
        must(["docker", "exec", self.container, "touch", "/tmp/down"])

    def recover(self) -> None:
        """Answer 200 again."""
        must(["docker", "exec", self.container, "rm", "-f", "/tmp/down"])


@contextlib.contextmanager
def region_servers(folder: Path) -> Iterator[dict[str, RegionServer]]:
    """One for each of PLACES, removed at the end."""
    file = folder / "health.conf"
    file.write_text(_HEALTH)
    folder.chmod(0o755)
    mark = secrets.token_hex(4)
    names = {place: f"kato-region-{place}-{mark}" for place in PLACES}
    try:
        for name in names.values():
            must([
                "docker", "run", "--detach", "--name", name, "--volume", f"{file}:/c:ro",
                "kato-lb/nginx:1.30", "nginx", "-c", "/c", "-g", "daemon off;",
            ])  # fmt: skip
        yield {place: RegionServer(name, address_of(name)) for place, name in names.items()}
    finally:
        run(["docker", "rm", "--force", "--volumes", *names.values()])


def address_of(container: str) -> str:
    """The container's address on Docker's bridge."""
    return must(
        ["docker", "inspect", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}",
         container]
    ).strip()  # fmt: skip


def use_program(stack: PulumiStack, text: str) -> None:
    """Let the stack run this program instead of the repository's."""
    project = stack.folder / "Pulumi.yaml"
    naming = yaml.safe_load(project.read_text())["config"]["pulumi:autonaming"]
    for name, content in (
        ("__main__.py", text),
        ("Pulumi.yaml", yaml.safe_dump({
            "name": "kato",
            "runtime": {"name": "python", "options": {"virtualenv": "venv"}},
            "config": {"pulumi:autonaming": naming},
        })),
    ):  # fmt: skip
        (stack.folder / name).unlink()
        (stack.folder / name).write_text(content)


def dig(port: int, subnet: str, name: str = "kato.example.com", kind: str = "A") -> list[str]:
    """The addresses that a client of the subnet gets, sorted; none when nobody answers."""
    done = run([
        "dig", "@127.0.0.1", "-p", str(port), name, kind, f"+subnet={subnet}",
        "+short", "+norecurse", "+tries=1", "+time=2",
    ])  # fmt: skip
    return sorted(line for line in done.stdout.splitlines() if not line.startswith(";"))


def wait_for(condition: Callable[[], bool], what: str, limit: float = 30) -> float:
    """Seconds until the condition holds; fails with ``what`` after ``limit`` seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < limit, f"not within {limit:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - started


def dns_inputs(servers: dict[str, RegionServer], **more: Any) -> dict[str, Any]:
    """Inputs of GeoDns for these regions, each with its clients."""
    return {
        "zone": "kato.example.com",
        "name_servers": ["ns1.example.net"],
        "regions": [
            {
                "name": name,
                "addresses": [server.address],
                "location": dict(zip(("latitude", "longitude"), PLACES[name], strict=True)),
                "health_url": "http://kato.example.com:8000/sessions/lb-probe/exists",
            }
            for name, server in servers.items()
        ],
        "networks": [{"network": net, "region": name} for name, net in CLIENTS.items()],
        "backup": {"addresses": ["192.0.2.250"]},
        **more,
    }


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
