"""A cache, a state folder and a clone of their own for every test of the tools."""

import contextlib
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dev.toolchain import docker_engine, environment, places, pulumi_cli


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, empty and for this test only."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return places.cache()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder, empty and for this test only."""
    state = tmp_path / "a clone's state"
    monkeypatch.setattr(places, "STATE", state)
    monkeypatch.setattr(places, "BIN", state / "bin")
    monkeypatch.setattr(places, "LOGS", state / "logs")
    monkeypatch.setattr(environment, "FILE", state / "env")
    monkeypatch.setattr(docker_engine, "_PID_FILE", state / "dockerd.pid")
    monkeypatch.setattr(pulumi_cli, "environment", lambda: {})
    return state


@pytest.fixture
def serve() -> Iterator[Callable[[int, bytes, int | None], str]]:
    """Start a server that answers every request with a status, a body, and the length that it
    claims the body has; gives its address."""
    with contextlib.ExitStack() as running:

        def start(status: int, body: bytes, claimed: int | None = None) -> str:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.send_response(status)
                    self.send_header(
                        "Content-Length", str(len(body) if claimed is None else claimed)
                    )
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, format: str, *args: object) -> None:
                    pass

            server = HTTPServer(("127.0.0.1", 0), Handler)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            running.callback(server.server_close)
            running.callback(thread.join)
            running.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield start


@pytest.fixture
def archive() -> Callable[[dict[str, bytes]], bytes]:
    """A compressed archive of the given files."""

    def packed(files: dict[str, bytes]) -> bytes:
        result = io.BytesIO()
        with tarfile.open(fileobj=result, mode="w:gz") as content:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o755
                content.addfile(entry, io.BytesIO(data))
        return result.getvalue()

    return packed
