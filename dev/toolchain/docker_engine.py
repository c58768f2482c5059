"""A Docker engine that answers: the one that is there, else Debian's, started if need be."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from dev.toolchain import debian_packages, places, steps

_START_LIMIT_SECONDS = 60
_STOP_LIMIT_SECONDS = 60
_PID_FILE = places.STATE / "dockerd.pid"


def ensure() -> None:
    """Return when a Docker engine answers; raises SetupError with what to do otherwise."""
    if _answers():
        return
    if os.geteuid() != 0:
        raise steps.SetupError(
            "no Docker engine answers",
            "start Docker (or set DOCKER_HOST to one that you may use), then run this again",
        )
    if not shutil.which("dockerd"):
        _install()
    with steps.step("starting the Docker engine"):
        _start()


def stop_started() -> None:
    """Stop the engine that ``ensure`` started from this clone; others are left alone."""
    if not _PID_FILE.exists():
        return
    pid = int(_PID_FILE.read_text())
    started = time.monotonic()
    try:
        if not _is_dockerd(pid):
            raise ProcessLookupError(pid)
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() - started < _STOP_LIMIT_SECONDS:
            os.kill(pid, 0)
            time.sleep(0.1)
        raise steps.SetupError(
            f"dockerd (process {pid}) did not stop within {_STOP_LIMIT_SECONDS} s",
            f"see {places.LOGS / 'dockerd.log'}",
        )
    except ProcessLookupError:
        _PID_FILE.unlink()


def _is_dockerd(pid: int) -> bool:
    """False when the number belongs to another process by now."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd"
    except FileNotFoundError:
        return False


def _answers() -> bool:
    return bool(steps.output_of(["docker", "version", "--format", "{{.Server.Version}}"], limit=10))


def _install() -> None:
    if not Path("/etc/debian_version").exists():
        raise steps.SetupError(
            "no Docker engine answers and this is not Debian",
            "install Docker for your system (https://docs.docker.com/engine/install)",
        )
    debian_packages.install(["docker.io", "iptables"])


def _start() -> None:
    log = places.LOGS / "dockerd.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if Path("/run/systemd/system").is_dir():
        steps.run(
            ["systemctl", "start", "docker"], limit=_START_LIMIT_SECONDS,
            cure="run 'systemctl status docker' to see more", log="systemctl-docker",
        )  # fmt: skip
    else:
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["dockerd"],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        _PID_FILE.write_text(str(process.pid))
    started = time.monotonic()
    while time.monotonic() - started < _START_LIMIT_SECONDS:
        if _answers():
            return
        time.sleep(0.3)
    raise steps.SetupError(
        f"the Docker engine did not answer within {_START_LIMIT_SECONDS} s", f"see {log}"
    )
