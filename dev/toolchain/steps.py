"""Steps that a person watches: what is being done, how long it takes, what to do if it fails."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dev.toolchain import places

HEARTBEAT_SECONDS = 15


class SetupError(Exception):
    """A step failed; the message ends with what to do next."""

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(f"{problem}\n  What to do: {cure}")


def say(text: str) -> None:
    """Print one line of progress at once, also when the output is a pipe."""
    print(f"[setup] {text}", flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step that takes a while and print its duration when it is done."""
    say(f"{title} ...")
    started = time.monotonic()
    yield
    say(f"{title}: done in {time.monotonic() - started:.0f} s")


def run(
    argv: Sequence[str],
    *,
    limit: float,
    cure: str,
    log: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a command with its output in a log file and a heartbeat on the screen.

    ``limit`` is in seconds. Raises SetupError with the end of the log and the cure when the
    command is missing, fails or exceeds its limit.
    """
    places.LOGS.mkdir(parents=True, exist_ok=True)
    path = places.LOGS / f"{log}.log"
    started = time.monotonic()
    with path.open("wb") as output:
        try:
            process = subprocess.Popen(
                argv,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=cwd,
                env={**os.environ, **(env or {})},
            )
        except FileNotFoundError:
            raise SetupError(f"{argv[0]} is not installed", cure) from None
        except OSError as error:
            raise SetupError(f"{argv[0]} can't be run ({error.strerror})", cure) from None
        while process.poll() is None:
            elapsed = time.monotonic() - started
            if elapsed > limit:
                process.kill()
                process.wait(timeout=10)
                raise SetupError(f"{argv[0]} did not end within {limit:.0f} s (log: {path})", cure)
            try:
                process.wait(timeout=min(HEARTBEAT_SECONDS, limit - elapsed + 0.1))
            except subprocess.TimeoutExpired:
                say(f"    still running after {time.monotonic() - started:.0f} s")
    if process.returncode:
        end = "\n".join(path.read_text(errors="replace").splitlines()[-12:])
        command = " ".join(argv)
        raise SetupError(f"'{command}' ended with {process.returncode}:\n{end}", cure)


def output_of(argv: Sequence[str], *, limit: float = 20) -> str | None:
    """The command's standard output, or None when it is missing, fails or is too slow."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


@contextlib.contextmanager
def only_one(limit: float = 1800) -> Iterator[None]:
    """Let one set-up at a time write to the cache; others wait up to ``limit`` seconds."""
    places.cache().mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with (places.cache() / "lock").open("w") as handle:
        waiting = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    say("another set-up is running; waiting for it")
                    waiting = True
            if time.monotonic() - started > limit:
                raise SetupError(
                    f"another set-up held {handle.name} for {limit:.0f} s",
                    "end that set-up, then run this again",
                )
            time.sleep(0.5)
        yield


def fail(error: SetupError) -> int:
    """Print the error where a person looks for it; returns the exit code."""
    print(f"[setup] FAILED: {error}", file=sys.stderr, flush=True)
    return 1
