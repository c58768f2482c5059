"""Processes: found again by number and start, so that no stranger is ever signalled."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import layout, processes
from dev.cluster.processes import Identity

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(layout, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(layout, "PROCESSES", tmp_path / "processes")
    return tmp_path


@pytest.fixture
def started() -> Iterator[list[str]]:
    names: list[str] = []
    yield names
    for name in names:
        processes.stop(name, 0)


def test_the_status_line_of_a_command_with_spaces_and_parentheses_is_read() -> None:
    rest = "S 1 7 7 0 -1 4194560 1 0 0 0 5 1 0 0 20 0 4 0 98765 123 456"

    assert processes.parse_stat(7, f"7 (a (b) c) {rest}") == Identity(7, 98765)


def test_a_zombie_is_no_running_process() -> None:
    rest = "Z 1 7 7 0 -1 4194560 1 0 0 0 5 1 0 0 20 0 4 0 98765 123 456"

    assert processes.parse_stat(7, f"7 (x) {rest}") is None


def test_a_number_that_nobody_has_is_no_process() -> None:
    assert processes.identify(2**22 + 1) is None


def test_a_started_process_is_found_and_its_output_kept(started: list[str]) -> None:
    started.append("speaker")
    processes.start("speaker", ["sh", "-c", "echo here; pwd; exec sleep 60"])

    identity = processes.running("speaker")

    assert identity is not None
    assert os.getsid(identity.pid) == identity.pid
    deadline = time.monotonic() + 10
    while processes.log("speaker").read_text() != "here\n/\n" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes.log("speaker").read_text() == "here\n/\n"


def test_a_stopped_process_is_gone_and_forgotten(started: list[str]) -> None:
    started.append("sleeper")
    processes.start("sleeper", ["sleep", "60"])
    identity = processes.running("sleeper")
    assert identity is not None

    processes.stop("sleeper", 5)

    assert processes.identify(identity.pid) is None
    assert not list(layout.PROCESSES.iterdir())


def test_one_that_ignores_the_request_is_ended_after_the_limit(started: list[str]) -> None:
    started.append("stubborn")
    processes.start("stubborn", [sys.executable, "-c", f"{STUBBORN}; time.sleep(60)"])
    deadline = time.monotonic() + 10
    while not processes.log("stubborn").read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    before = time.monotonic()

    processes.stop("stubborn", 0.3)

    assert processes.running("stubborn") is None
    assert 0.3 <= time.monotonic() - before < 5


def test_a_number_that_another_process_got_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        identity = processes.identify(stranger.pid)
        assert identity is not None
        layout.PROCESSES.mkdir()
        record = layout.PROCESSES / "etcd.json"
        record.write_text(json.dumps({"pid": identity.pid, "started": identity.started - 1}))

        assert processes.running("etcd") is None
        processes.stop("etcd", 1)

        assert processes.identify(stranger.pid) == identity
        stranger.kill()


@pytest.mark.parametrize("text", ["", "{", "{}", '{"pid": "x", "started": 1}', "[]"])
def test_a_damaged_record_is_no_process(text: str) -> None:
    layout.PROCESSES.mkdir()
    (layout.PROCESSES / "etcd.json").write_text(text)

    assert processes.running("etcd") is None


def test_a_process_is_found_by_whole_arguments(started: list[str]) -> None:
    started.append("helper")
    processes.start("helper", ["sh", "-c", "sleep 60; :", "-address", "/unique/7f3a.sock"])

    # Whoever is being replaced by the program it runs has no arguments for a moment.
    limit = time.monotonic() + 10
    while not (found := processes.with_argument("-address", "/unique/7f3a.sock")):
        assert time.monotonic() < limit
    assert processes.running("helper") in found
    assert processes.with_argument("-address", "/unique/7f3a") == []
