"""The cluster's processes: started detached, found again later, stopped by their identity.

A process is identified by its number and the time at which it started, so that a recorded number
that belongs to another process by now is never signalled.
"""

import json
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import layout
from dev.toolchain import steps

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Identity:
    """A process that can be told from a later one with the same number."""

    pid: int
    started: int


def identify(pid: int) -> Identity | None:
    """The identity of a living process; None when there is none or it is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return parse_stat(pid, text)


def parse_stat(pid: int, text: str) -> Identity | None:
    """Read /proc/PID/stat; the command in parentheses may hold spaces and parentheses."""
    fields = text.rpartition(")")[2].split()
    state, started = fields[0], int(fields[19])
    return None if state in ("Z", "X") else Identity(pid, started)


def start(name: str, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Start a process that outlives this one, with its output in the log folder, and record it."""
    layout.LOGS.mkdir(parents=True, exist_ok=True)
    layout.PROCESSES.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # From a folder that stays: the caller's may be removed while the process runs.
    command = ["/usr/bin/env", "--chdir=/", *argv]
    pid = os.posix_spawn(
        command[0],
        command,
        {**os.environ, **(environment or {})},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log(name)), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    identity = identify(pid)
    if identity is None:
        raise steps.SetupError(f"{name} ended at once", f"see {log(name)}")
    _record(name).write_text(json.dumps({"pid": identity.pid, "started": identity.started}))


def log(name: str) -> Path:
    """Where the process writes."""
    return layout.LOGS / f"{name}.log"


def running(name: str) -> Identity | None:
    """The process that was started under this name, if it still runs."""
    try:
        record = json.loads(_record(name).read_text())
        recorded = Identity(int(record["pid"]), int(record["started"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return recorded if identify(recorded.pid) == recorded else None


def stop(name: str, limit: float) -> None:
    """Ask the process to end, and end it when it has not after ``limit`` seconds."""
    identity = running(name)
    if identity is not None:
        end([identity], limit)
    _record(name).unlink(missing_ok=True)


def forget_all() -> None:
    """Forget every process, for example because the machine has been restarted since."""
    for record in layout.PROCESSES.glob("*.json"):
        record.unlink()


def end(identities: Iterable[Identity], limit: float) -> None:
    """SIGTERM, then SIGKILL after ``limit`` seconds (at once when it is 0)."""
    left = list(identities)
    if limit > 0:
        _signal(left, signal.SIGTERM)
        left = _wait(left, limit)
    _signal(left, signal.SIGKILL)
    stuck = _wait(left, 10)
    if stuck:
        numbers = ", ".join(str(identity.pid) for identity in stuck)
        raise steps.SetupError(
            f"these processes do not end: {numbers}", "see 'ps' for what they wait for"
        )


def with_argument(*wanted: str) -> list[Identity]:
    """Every process on this machine that has all these words among its arguments."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        identity = identify(int(folder.name)) if set(wanted) <= set(words) else None
        if identity is not None:
            found.append(identity)
    return found


def _record(name: str) -> Path:
    return layout.PROCESSES / f"{name}.json"


def _signal(identities: Iterable[Identity], number: signal.Signals) -> None:
    for identity in identities:
        if identify(identity.pid) == identity:
            try:
                os.kill(identity.pid, number)
            except ProcessLookupError:
                continue


def _wait(identities: Iterable[Identity], limit: float) -> list[Identity]:
    deadline = time.monotonic() + limit
    left = list(identities)
    while left:
        left = [identity for identity in left if identify(identity.pid) == identity]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    return left
