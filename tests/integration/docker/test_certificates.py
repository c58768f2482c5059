"""A new certificate reaches the running balancer, without a lost request."""

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from docker_facts import inspect, wait_until
from pulumi_stack import PulumiStack, must
from steady_load import steady_load

from dev.free_ports import free_port

PROGRAM = """
import pulumi
import components
config = pulumi.Config()
stores = components.KatoDataStores("stores", {"redis": {"image": "kato-lb/redis:8.0"}})
backend = components.KatoBackend("kato", {
    "image": "kato-lb/kato-stand-in:6.3.0",
    "stores": {"environment": stores.environment, "network": stores.network},
    "replicas": 2,
})
balancer = getattr(components, config.require("balancer"))("lb", {
    "servers": backend.servers,
    "network": stores.network,
    "image": config.require("image"),
    "publish": {"port": config.require_int("port")},
    "tls": {"certificate": config.require("certificate"), "key": config.require_secret("key")},
})
pulumi.export("url", balancer.url)
"""


def certificate(folder: Path, name: str) -> dict[str, str]:
    """A self-signed certificate for 127.0.0.1 and its key, PEM."""
    folder.mkdir(exist_ok=True)
    files = {part: folder / f"{name}.{part}" for part in ("certificate", "key")}
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "9", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(files["key"]), "-out", str(files["certificate"]),
        ],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return {part: file.read_text() for part, file in files.items()}


@pytest.mark.parametrize(
    ("balancer", "image"),
    [("NginxBalancer", "kato-lb/nginx:1.30"), ("HaproxyBalancer", "kato-lb/haproxy:3.2")],
)
def test_a_new_certificate_is_reloaded(
    new_stack: Callable[..., PulumiStack],
    tmp_path: Path,
    balancer: str,
    image: str,
) -> None:
    port = free_port()
    stack = new_stack(f"tls-{balancer.lower()}")
    stack.use_program(PROGRAM)
    first, second = certificate(tmp_path, "first"), certificate(tmp_path, "second")
    stack.settings = {"balancer": balancer, "image": image, "port": port, **first}
    stack.configure()
    stack.up()
    url = stack.outputs()["url"]
    assert url == f"https://127.0.0.1:{port}"
    both = tmp_path / "both.pem"
    both.write_text(first["certificate"] + second["certificate"])
    trusted = ssl.create_default_context(cafile=str(both))
    assert httpx.get(f"{url}/health", verify=trusted).status_code == 200
    before = inspect(stack.container("lb-"))
    with steady_load(url, ca_file=str(both)) as load:
        wait_until(lambda: load.report().requests > 200, "the load runs")
        stack.configure(**second)
        stack.up()
        served = ssl.get_server_certificate(("127.0.0.1", port))
        after = load.report().requests
        wait_until(lambda: load.report().requests > after + 200, "the load goes on")
    assert served.split() == second["certificate"].split()
    assert load.report().failed == 0, load.report().failures
    assert inspect(stack.container("lb-"))["State"]["StartedAt"] == before["State"]["StartedAt"]
    exported = stack.pulumi("stack", "export", "--stack", stack.name)
    assert "PRIVATE KEY" not in exported
    assert must(["docker", "logs", stack.container("lb-")]).count("PRIVATE KEY") == 0
