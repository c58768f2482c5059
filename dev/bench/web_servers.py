"""Containers of the throughput bench: balancers and what answers behind them."""

import contextlib
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_LIMIT_SECONDS = 60

_COMMANDS = {
    "nginx": ["nginx", "-e", "/dev/stderr", "-c", "/c/balancer.cfg", "-g", "daemon off;"],
    "haproxy": ["haproxy", "-W", "-db", "-f", "/c/balancer.cfg"],
}

_TRIVIAL = """\
worker_processes 2;
pid /tmp/servers.pid;
error_log /dev/stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path /tmp/client_body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
{servers}
}}
"""

_ASGI = """\
import os
import time

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"11")]

WORK = float(os.environ["WORK_SECONDS"])

async def app(scope, receive, send):
    if scope["type"] == "http":
        end = time.thread_time() + WORK
        while time.thread_time() < end:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b'{"ok":true}'})
"""


@contextlib.contextmanager
def balancer(image: str, text: str, folder: Path, port: int) -> Iterator[None]:
    """A balancer with this configuration, once it listens."""
    folder.mkdir(parents=True)
    (folder / "balancer.cfg").write_text(text)
    program = image.split("/")[1].partition(":")[0]
    with _container(image, _COMMANDS[program], folder, [port]):
        yield


@contextlib.contextmanager
def trivial(ports: Sequence[int], folder: Path) -> Iterator[None]:
    """nginx that answers at once on every port."""
    servers = "".join(
        f'  server {{ listen {port}; location / {{ return 200 "{{}}"; }} }}\n' for port in ports
    )
    folder.mkdir(parents=True)
    (folder / "balancer.cfg").write_text(_TRIVIAL.format(servers=servers))
    with _container("kato-lb/nginx:1.30", _COMMANDS["nginx"], folder, ports):
        yield


@contextlib.contextmanager
def uvicorn(ports: Sequence[int], folder: Path, work_seconds: float = 0) -> Iterator[None]:
    """A uvicorn process for every port, run as KATO runs it; each request takes that much
    processor time."""
    folder.mkdir(parents=True)
    (folder / "bench_app.py").write_text(_ASGI)
    with contextlib.ExitStack() as running:
        for port in ports:
            command = [
                "env", f"WORK_SECONDS={work_seconds}",
                "python3", "-m", "uvicorn", "bench_app:app", "--app-dir", "/c",
                "--host", "127.0.0.1", "--port", str(port), "--no-access-log",
                "--lifespan", "off", "--timeout-keep-alive", "5", "--limit-concurrency", "500",
            ]  # fmt: skip
            running.enter_context(
                _container("kato-lb/kato-stand-in:6.3.0", command, folder, [port])
            )
        yield


@contextlib.contextmanager
def _container(
    image: str, command: Sequence[str], folder: Path, ports: Sequence[int]
) -> Iterator[None]:
    name = f"kato-bench-{secrets.token_hex(4)}"
    folder.chmod(0o755)
    try:
        _docker(
            "run", "--detach", "--name", name, "--network", "host", "--user", "10001:10001",
            "--read-only", "--tmpfs", "/tmp:mode=1777",  # noqa: S108 - inside the container
            "--volume", f"{folder}:/c:ro", image, *command,
        )  # fmt: skip
        for port in ports:
            _wait_for(port, name)
        yield
    finally:
        _docker("rm", "--force", "--volumes", name)


def _wait_for(port: int, name: str) -> None:
    end = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < end:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1),
        ):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{name} does not listen on {port}:\n{_docker('logs', name)}")


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"docker {arguments[0]} failed:\n{done.stdout}")
    return done.stdout.strip()
