"""A Docker engine: the one that answers, else a clear word about what to do."""

import os
from pathlib import Path

import pytest

from dev.toolchain import docker_engine, steps
from dev.toolchain.steps import SetupError


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """No step may really run; the commands are kept instead."""
    ran: list[list[str]] = []
    monkeypatch.setattr(docker_engine.steps, "run", lambda argv, **_: ran.append(list(argv)))
    monkeypatch.setattr(docker_engine.subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    return ran


def _engine(monkeypatch: pytest.MonkeyPatch, answer: str | None) -> None:
    monkeypatch.setattr(steps, "output_of", lambda *_, **__: answer)


def test_an_engine_that_answers_is_used(
    monkeypatch: pytest.MonkeyPatch, nothing_is_installed: list[list[str]]
) -> None:
    _engine(monkeypatch, "29.0.1\n")

    docker_engine.ensure()

    assert nothing_is_installed == []


def test_without_an_engine_a_plain_user_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, nothing_is_installed: list[list[str]]
) -> None:
    _engine(monkeypatch, None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(SetupError, match=r"no Docker engine answers\n.*start Docker \(or set DOCK"):
        docker_engine.ensure()
    assert nothing_is_installed == []


def test_nothing_is_installed_on_other_systems(
    monkeypatch: pytest.MonkeyPatch, nothing_is_installed: list[list[str]]
) -> None:
    _engine(monkeypatch, None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(docker_engine.shutil, "which", lambda _: None)
    monkeypatch.setattr(docker_engine.Path, "exists", lambda _: False)

    with pytest.raises(SetupError, match=r"not Debian\n.*install Docker for your system"):
        docker_engine.ensure()
    assert nothing_is_installed == []


def test_an_engine_that_was_not_started_here_is_left_alone(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: ended.append(pid))

    docker_engine.stop_started()

    assert ended == []
    assert not state.exists()


def test_a_process_that_is_gone_is_forgotten(state: Path) -> None:
    state.mkdir()
    gone = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(gone, 0)
    (state / "dockerd.pid").write_text(str(gone))

    docker_engine.stop_started()

    assert not (state / "dockerd.pid").exists()


def test_a_number_that_another_process_has_by_now_is_left_alone(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.mkdir()
    (state / "dockerd.pid").write_text(str(os.getpid()))
    ended: list[int] = []

    def kill(_: int, number: int) -> None:
        if number:
            ended.append(number)
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", kill)

    docker_engine.stop_started()

    assert ended == []
