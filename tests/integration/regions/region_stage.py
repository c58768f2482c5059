"""Containers that stand for regions."""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from geo_dns_stage import PLACES
from pulumi_stack import must, run

PORT = 8000

_HEALTH = """
worker_processes 1; pid /tmp/pid; error_log /dev/stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
  uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
  server {
    listen PORT;
    location = /sessions/lb-probe/exists {
      if (-f /tmp/down) { return 503; }
      return 200 '{"exists":false}';
    }
  }
}
""".replace("PORT", str(PORT))


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
