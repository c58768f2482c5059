"""The shell that runs the balancer in a pod: what it passes on, and what it waits for."""

import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from components.balancer_programs import PROGRAMS
from components.kubernetes.balancer_tier import FAREWELL_SECONDS, supervised

_CHILD = """
import signal, sys
wanted = {{signal.{signal}}}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print("up", flush=True)
sys.exit({code} if signal.sigtimedwait(wanted, 60) else 1)
"""


# As in a pod. A program that was started in the background ignores SIGINT and SIGQUIT, and so do
# its children: no shell can trap what was ignored when it started.
_SHELL = ["env", "--default-signal", "sh", "-uc"]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a ``sleep`` that does not sleep writes for how long it was asked to."""
    path, asked = tmp_path / "sleep", tmp_path / "asked"
    path.write_text(f'#!/bin/sh\necho "$1" >> {shlex.quote(str(asked))}\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return asked


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1, signal.SIGINT])
def test_a_balancer_that_was_asked_to_end_leaves_its_address_for_a_while(
    name: str, sent: signal.Signals, asked: Path
) -> None:
    program = PROGRAMS[name]
    child = _CHILD.format(signal=program.stop_signal, code=3)
    text = supervised(replace(program, run=shlex.join([sys.executable, "-c", child])))
    with subprocess.Popen([*_SHELL, text], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == "up\n"
        shell.send_signal(sent)
        assert shell.wait(timeout=20) == 3

    assert asked.read_text().split() == [str(FAREWELL_SECONDS)]


def test_one_that_ended_by_itself_is_started_again_at_once(asked: Path) -> None:
    program = replace(PROGRAMS["haproxy"], run="sh -c 'exit 7'")
    done = subprocess.run([*_SHELL, supervised(program)], timeout=20, check=False)

    assert done.returncode == 7
    assert asked.read_text().split() == ["0"]
