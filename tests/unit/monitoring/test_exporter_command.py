"""``kato-lb export`` as a process: a log in, metrics out, an end by a signal."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from log_samples import nginx_line

from dev.free_ports import free_port
from kato_balancing import cli

LIMIT_SECONDS = 30


def test_a_log_in_metrics_out(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "socket"
    command = [sys.executable, "-m", "kato_balancing.cli", "export", "--socket", str(path)]
    command += ["--listen", f"127.0.0.1:{port}", "--server", "kato-0=127.0.0.1:8000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            text = _until_counted(running, path, port)
        finally:
            running.send_signal(signal.SIGTERM)
            code = running.wait(LIMIT_SECONDS)

    assert 'kato_lb_requests_total{code="200",server="kato-0"} 1.0' in text
    assert code == 0
    assert not path.exists()


def _until_counted(running: "subprocess.Popen[str]", path: Path, port: int) -> str:
    sent = False
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        assert running.poll() is None, running.communicate()[1]
        try:
            if not sent:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                    sender.sendto(nginx_line(upstream="127.0.0.1:8000"), str(path))
                sent = True
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                text = answer.read().decode()
            if "kato_lb_session_answers_total 1.0" in text:
                return str(text)
        except OSError:
            pass  # not there yet
        time.sleep(0.05)
    raise AssertionError(f"no line was counted within {LIMIT_SECONDS} s")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--socket"),
        (["--listen", "here"], "must be HOST:PORT, such as 0.0.0.0:9102"),
        (["--listen", ":1"], "must be HOST:PORT"),
        (["--status", "lb/status"], "must start with http://"),
        (["--server", "kato-0"], "must be NAME=HOST:PORT"),
        (["--connection-limit", "0"], "--connection-limit must be positive"),
    ],
)
def test_wrong_use_is_named(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--socket", str(tmp_path / "socket")] if words else []

    with pytest.raises(SystemExit) as ended:
        cli.main(["export", *given, *words])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        code = cli.main(["export", "--socket", str(tmp_path / "socket"), "--listen", where])

    assert code == 1
    assert f"--listen: {where} can't be used" in capsys.readouterr().err
    assert not (tmp_path / "socket").exists()


def test_a_socket_that_can_not_be_made_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "--socket", "/nowhere/socket"]) == 1
    assert "--socket: no socket can be made at /nowhere/socket" in capsys.readouterr().err


def test_without_its_library_it_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    assert cli.main(["export", "--socket", str(tmp_path / "socket")]) == 1
    assert "pip install 'kato-load-balancing[metrics]'" in capsys.readouterr().err


def test_the_exporter_needs_one_library_only() -> None:
    script = (
        "import sys, kato_balancing.cli, kato_balancing.monitoring.exporter.command,"
        "kato_balancing.monitoring.exporter.collector;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()

    assert "prometheus_client" in loaded
    assert not {"pydantic", "yaml", "pulumi", "httpx", "rich"} & set(loaded)
