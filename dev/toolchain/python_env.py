"""The Python environment ``venv/`` with the product installed in place."""

import shutil
import subprocess
import sys

from dev.toolchain import pins, places, steps

REQUIREMENTS = places.ROOT / "requirements.txt"
REQUIREMENTS_DEV = places.ROOT / "requirements-dev.txt"
CONSTRAINTS = places.ROOT / "constraints.txt"


def ensure(*, dev: bool) -> None:
    """Create or refresh ``venv/``; does nothing when the requirements have not changed."""
    if sys.version_info < pins.PYTHON_MINIMUM:
        wanted = ".".join(map(str, pins.PYTHON_MINIMUM))
        raise steps.SetupError(
            f"Python {sys.version.split()[0]} is too old",
            f"install Python {wanted} or newer and run make with PYTHON=/path/to/python3",
        )
    inputs = [REQUIREMENTS, REQUIREMENTS_DEV, CONSTRAINTS, places.ROOT / "pyproject.toml"]
    key = "-".join(places.fingerprint(path) for path in inputs)
    full, runtime = places.VENV / ".ready-dev", places.VENV / ".ready"
    if any(
        mark.exists() and mark.read_text() == key for mark in ((full,) if dev else (full, runtime))
    ):
        return
    with steps.step("Python environment venv/"):
        python = places.VENV / "bin" / "python"
        if not _works(str(python)):
            shutil.rmtree(places.VENV, ignore_errors=True)
            steps.run(
                [sys.executable, "-m", "venv", str(places.VENV)],
                limit=120,
                cure="on Debian: apt-get install python3-venv",
                log="venv",
            )
        steps.run(
            [
                str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                "-c", str(CONSTRAINTS),
                "-r", str(REQUIREMENTS_DEV if dev else REQUIREMENTS),
                "-e", str(places.ROOT),
            ],
            limit=900,
            cure="check that pip reaches a package index (pip config list), then run this again",
            log="pip",
        )  # fmt: skip
        (full if dev else runtime).write_text(key)


def _works(python: str) -> bool:
    try:
        return subprocess.run([python, "-c", ""], timeout=20, check=False).returncode == 0
    except OSError:
        return False
