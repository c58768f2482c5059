"""Short system commands whose failure is an error with a cure."""

import subprocess
from collections.abc import Sequence

from dev.toolchain import steps

CURE = "run the command by hand, as root, to see more"


def done(argv: Sequence[str], *, given: str | None = None, limit: float = 30) -> str:
    """Run a command that must succeed and return its standard output."""
    try:
        result = subprocess.run(
            argv, input=given, capture_output=True, text=True, timeout=limit, check=False
        )
    except FileNotFoundError:
        raise steps.SetupError(f"{argv[0]} is not installed", CURE) from None
    except subprocess.TimeoutExpired:
        raise steps.SetupError(f"'{' '.join(argv)}' took over {limit:.0f} s", CURE) from None
    if result.returncode:
        problem = (result.stderr or result.stdout).strip()
        raise steps.SetupError(f"'{' '.join(argv)}' failed: {problem}", CURE)
    return result.stdout


def succeeds(argv: Sequence[str], *, limit: float = 30) -> bool:
    """True when the command ends with 0."""
    return steps.output_of(argv, limit=limit) is not None
