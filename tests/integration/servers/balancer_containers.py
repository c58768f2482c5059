"""Balancers and servers in containers on this machine's network, and raw HTTP to them."""

import asyncio
import contextlib
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_COMMANDS = {
    "nginx": ["nginx", "-e", "/dev/stderr", "-c", "/c/balancer.cfg", "-g", "daemon off;"],
    "haproxy": ["haproxy", "-W", "-db", "-f", "/c/balancer.cfg"],
}


def docker(*words: str, limit: float = 60) -> str:
    """Run docker; its output, or an error that shows what it said."""
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, timeout=limit, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Container:
    """A running container that reads its configuration from ``folder``."""

    name: str
    folder: Path

    def signal(self, name: str) -> None:
        """Send a signal to its first process."""
        docker("kill", "--signal", name, self.name)

    def shell(self, script: str) -> str:
        """What a shell inside says."""
        return docker("exec", self.name, "sh", "-c", script)

    def logs(self) -> str:
        """Everything it wrote."""
        done = subprocess.run(
            ["docker", "logs", self.name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=True,
        )  # fmt: skip
        return done.stdout


@contextlib.contextmanager
def container(
    image: str, command: Sequence[str], folder: Path, *options: str, network: str = "host"
) -> Iterator[Container]:
    """A container of the image, unprivileged and read-only but for /tmp, removed at the end."""
    name = f"kato-lb-test-{secrets.token_hex(4)}"
    folder.chmod(0o755)
    docker(
        "run", "--detach", "--name", name, "--network", network, "--user", "10001:10001",
        "--read-only", "--tmpfs", "/tmp:mode=1777", "--volume", f"{folder}:/c:ro", *options,
        image, *command,
    )  # fmt: skip
    try:
        yield Container(name, folder)
    finally:
        docker("rm", "--force", "--volumes", name)


@contextlib.contextmanager
def balancer(
    image: str, text: str, folder: Path, port: int, *options: str, network: str = "host"
) -> Iterator[Container]:
    """A balancer with this configuration, once it listens on 127.0.0.1:port."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "balancer.cfg").write_text(text)
    program = image.split("/")[1].split(":", maxsplit=1)[0]
    with container(image, _COMMANDS[program], folder, *options, network=network) as running:
        if network == "host":
            wait_for_port(port, running)
        yield running


@contextlib.contextmanager
def network() -> Iterator[str]:
    """A Docker network with its own DNS, removed at the end."""
    name = f"kato-lb-test-{secrets.token_hex(4)}"
    docker("network", "create", name)
    try:
        yield name
    finally:
        docker("network", "rm", name)


def address_of(running: Container) -> str:
    """The container's address on its network."""
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("inspect", "--format", form, running.name).strip()


def wait_for_port(
    port: int, running: Container, seconds: float = 15, host: str = "127.0.0.1"
) -> None:
    """Until something accepts connections there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}:\n{running.logs()}")


@dataclass
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: str


def ask(
    port: int,
    paths: Sequence[str],
    *,
    headers: str = "",
    method: str = "GET",
    connections: int = 8,
    host: str = "127.0.0.1",
) -> list[Answer]:
    """Ask for every path over a few kept connections; the answers in the order of the paths."""

    async def part(first: int) -> list[Answer]:
        reader, writer = await asyncio.open_connection(host, port)
        answers = []
        for path in paths[first::connections]:
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: kato\r\n{headers}\r\n".encode())
            answers.append(await _answer(reader))
            if answers[-1].headers.get("connection") == "close":
                writer.close()
                reader, writer = await asyncio.open_connection(host, port)
        writer.close()
        return answers

    async def all_parts() -> list[Answer]:
        used = range(min(connections, len(paths)))
        parts = await asyncio.wait_for(asyncio.gather(*map(part, used)), 60)
        result: list[Answer] = [parts[i % connections][i // connections] for i in range(len(paths))]
        return result

    return asyncio.run(all_parts())


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(first.split()[1]), headers, body.decode())


def named_servers_text(ports: dict[str, int]) -> str:
    """An nginx configuration that answers on every port with that server's name."""
    servers = "".join(
        f'server {{ listen {port}; location / {{ return 200 "{name}"; }} }}\n'
        for name, port in ports.items()
    )
    temporary = "".join(
        f"{kind}_temp_path /tmp/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        "worker_processes 1; pid /tmp/servers.pid; error_log /dev/stderr warn;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 100000000;\n{temporary}{servers}}}\n"
    )
