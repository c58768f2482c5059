"""Steps: what a person sees when one fails, and that only one set-up runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from dev.toolchain import places, steps
from dev.toolchain.steps import SetupError

CURE = "try it by hand"


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _run(argv: list[str], limit: float = 20) -> None:
    steps.run(argv, limit=limit, cure=CURE, log="step")


def test_output_goes_to_a_log_file(state: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _run(_python("import sys; print('out'); print('err', file=sys.stderr)"))

    assert sorted((state / "logs" / "step.log").read_text().split()) == ["err", "out"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("state")
def test_a_failure_shows_the_end_of_the_log_and_the_cure() -> None:
    with pytest.raises(SetupError) as caught:
        _run(_python("for i in range(40): print(f'line-{i}')\nraise SystemExit(7)"))

    text = str(caught.value)
    assert "ended with 7" in text
    assert "line-39" in text
    assert "line-28" in text
    assert "line-27" not in text
    assert text.endswith(f"What to do: {CURE}")


@pytest.mark.usefixtures("state")
def test_a_missing_command_is_named_with_the_cure() -> None:
    with pytest.raises(SetupError, match=f"no-such-command is not installed\n.*{CURE}"):
        _run(["no-such-command"])


def test_a_command_that_may_not_be_run_is_named_with_the_cure(state: Path) -> None:
    state.mkdir()
    command = state / "command"
    command.write_text("#!/bin/sh\n")

    with pytest.raises(SetupError, match=CURE):
        _run([str(command)])


@pytest.mark.usefixtures("state")
def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(SetupError, match=r"did not end within 0 s \(log: .*step\.log\)"):
        _run(["sleep", "600"], 0.05)


def test_variables_are_added_to_those_of_the_process(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTER", "o")
    show = _python("import os; print(os.environ['OUTER'], os.environ['INNER'], os.getcwd())")

    steps.run(show, limit=20, cure=CURE, log="env", env={"INNER": "i"}, cwd=Path("/"))

    assert (state / "logs" / "env.log").read_text() == "o i /\n"


@pytest.mark.parametrize(
    ("code", "output"), [("print('x')", "x\n"), ("raise SystemExit(1)", None), ("print()", "\n")]
)
def test_the_output_of_a_command_or_nothing(code: str, output: str | None) -> None:
    assert steps.output_of(_python(code)) == output


def test_a_missing_or_slow_command_has_no_output() -> None:
    assert steps.output_of(["no-such-command"]) is None
    assert steps.output_of(["sleep", "600"], limit=0.05) is None


def test_one_set_up_at_a_time(cache: Path) -> None:
    code = (
        "import sys; from dev.toolchain import steps\n"
        "with steps.only_one(): print('has it', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        _python(code),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=places.ROOT,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "has it\n"

        with pytest.raises(SetupError, match=r"another set-up held .*lock"), steps.only_one(0):
            pytest.fail("two set-ups ran at once")

        other.communicate("\n")
    with steps.only_one(0):
        assert (cache / "lock").exists()


def test_the_lock_is_given_back_after_a_failure(cache: Path) -> None:
    with pytest.raises(SetupError), steps.only_one(0):
        raise SetupError("x", "y")
    with steps.only_one(0):
        assert cache.is_dir()


def test_a_failed_set_up_says_so_and_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert steps.fail(SetupError("no disk", "buy one")) == 1

    assert capsys.readouterr().err == "[setup] FAILED: no disk\n  What to do: buy one\n"
