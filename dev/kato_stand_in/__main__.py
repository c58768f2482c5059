"""Check the environment, then become uvicorn, started with the flags of KATO's image."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .environment import first_problem, normalised
from .release import DEFAULT_RELEASE, profile_for

DEFAULT_WORKERS = "4"
DEFAULT_CONCURRENCY = "100"


def command(environ: Mapping[str, str]) -> list[str]:
    """The uvicorn command line. PORT has no effect, as in KATO."""
    profile = profile_for(normalised(environ).get("STAND_IN_RELEASE") or DEFAULT_RELEASE)
    package = __package__ or "kato_stand_in"
    # The folder from which the package can be imported, whatever the working directory.
    folder = Path(__file__).resolve().parents[len(package.split("."))]
    workers = (
        (environ.get("KATO_WORKERS") or DEFAULT_WORKERS) if profile.workers_configurable else "1"
    )
    graceful = environ.get("STAND_IN_GRACEFUL_SHUTDOWN") or profile.graceful_shutdown_seconds
    flags = {
        "host": environ.get("STAND_IN_HOST") or "0.0.0.0",
        "port": environ.get("STAND_IN_PORT") or "8000",
        "workers": workers,
        "limit-concurrency": environ.get("KATO_LIMIT_CONCURRENCY") or DEFAULT_CONCURRENCY,
        "loop": None if workers == "1" else f"{package}.event_loop:SpreadingLoop",
        "timeout-keep-alive": "5",
        "timeout-graceful-shutdown": graceful,
        "limit-max-requests": profile.request_limit,
        "backlog": "2048",
        "app-dir": folder,
    }
    given = [
        text
        for name, value in flags.items()
        if value is not None
        for text in (f"--{name}", str(value))
    ]
    application = f"{package}.app:create_app"
    return [sys.executable, "-m", "uvicorn", application, "--factory", "--access-log", *given]


def main() -> None:
    """Replace this process by uvicorn, or exit with one line that says why not."""
    if problem := first_problem(os.environ):
        sys.exit(f"kato_stand_in: {problem}")
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        sys.exit(f"kato_stand_in: {error}")
    # The same process, so that it is PID 1 in a container and signals reach uvicorn.
    arguments = command(os.environ)
    os.execv(arguments[0], arguments)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
