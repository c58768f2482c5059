"""Every supported program takes a configuration with a log socket, and serves without anybody
who reads it."""

import secrets
import time
from pathlib import Path

import httpx
import pytest
from pulumi_stack import must, run

from dev.free_ports import free_ports
from dev.images import catalogue
from kato_balancing import haproxy, nginx
from kato_balancing.model import Balancer
from kato_balancing.targets import parse_version

IMAGES = {
    image.name: image
    for image in (
        catalogue.NGINX,
        catalogue.OLD_NGINX,
        catalogue.HAPROXY,
        catalogue.OLD_HAPROXY,
    )
}
START_SECONDS = 20
REQUESTS = 200


@pytest.mark.parametrize("name", IMAGES)
def test_it_starts_and_serves_with_nobody_at_the_socket(
    tools: None,  # noqa: ARG001 - asked for what it makes sure of
    name: str,
    tmp_path: Path,
) -> None:
    image, (port, private) = IMAGES[name], free_ports(2)
    model = Balancer.of(
        {
            # Nobody is there either: the balancer answers by itself.
            "pool": {"servers": [{"name": "a", "host": "127.0.0.1", "port": 1}]},
            "listener": {"port": port, "private_port": private},
            "log_socket": "/c/socket",
        }
    )
    program = haproxy if image.target == "haproxy" else nginx
    (tmp_path / "lb.conf").write_text(program.render(model, parse_version(image.version)))
    tmp_path.chmod(0o755)
    script = {
        "nginx": "nginx -e /dev/stderr -c /c/lb.conf -t && "
        "exec nginx -e /dev/stderr -c /c/lb.conf -g 'daemon off;'",
        "haproxy": "haproxy -c -dW -f /c/lb.conf && exec haproxy -W -db -f /c/lb.conf",
    }[image.target]
    container = f"kato-lb-test-{secrets.token_hex(4)}"
    must(
        [
            *("docker", "run", "--detach", "--name", container, "--network", "host"),
            *("--user", "10001:10001", "--read-only", "--tmpfs", "/tmp:mode=1777"),
            *("--volume", f"{tmp_path}:/c:ro", image.name, "sh", "-c", script),
        ]
    )
    try:
        _wait_for(f"http://127.0.0.1:{private}/lb/health", container)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            answers = [client.get("/status").status_code for _ in range(REQUESTS)]
        assert answers == [404] * REQUESTS
    finally:
        must(["docker", "rm", "--force", container])


def _wait_for(url: str, container: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            pass  # not there yet
        time.sleep(0.1)
    logs = run(["docker", "logs", container])
    raise AssertionError(f"no answer within {START_SECONDS} s:\n{logs.stdout}{logs.stderr}")
