"""``.state/env``: what a shell gets from it."""

import subprocess
from pathlib import Path

import pytest

from dev.toolchain import environment, places, pulumi_cli


def _shell(file: Path, **variables: str) -> dict[str, str]:
    """The variables of a shell that has read the file."""
    done = subprocess.run(
        ["sh", "-ec", '. "$0" && env', str(file)],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def test_the_state_is_kept_in_the_clone(state: Path) -> None:
    environment.write()
    found = _shell(state / "env")

    assert found["PULUMI_BACKEND_URL"] == (state / "pulumi").as_uri()
    assert (state / "pulumi").is_dir()
    assert found["PULUMI_CONFIG_PASSPHRASE"] == ""
    assert found["PATH"].split(":")[0] == str(places.VENV / "bin")
    assert "PULUMI_HOME" not in found


def test_the_users_own_values_win(state: Path) -> None:
    environment.write()
    found = _shell(
        state / "env", PULUMI_BACKEND_URL="https://mine", PULUMI_CONFIG_PASSPHRASE="my own"
    )

    assert found["PULUMI_BACKEND_URL"] == "https://mine"
    assert found["PULUMI_CONFIG_PASSPHRASE"] == "my own"


def test_tools_that_were_set_up_here_are_found(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi_cli, "environment", lambda: {"PULUMI_HOME": "/a home/of tools"})
    environment.write()
    found = _shell(state / "env")

    assert found["PATH"].split(":")[:2] == [str(state / "bin"), str(places.VENV / "bin")]
    assert found["PULUMI_HOME"] == "/a home/of tools"


def test_an_unchanged_file_is_left_alone(state: Path) -> None:
    environment.write()
    before = (state / "env").stat().st_ino
    environment.write()

    assert (state / "env").stat().st_ino == before
    assert sorted(path.name for path in state.iterdir()) == ["env", "pulumi"]
