"""Whether the machine has something else to do while speed is measured."""

import os
import time
from pathlib import Path
from typing import Final

from dev.toolchain.steps import say

_LOOKS_FOR: Final = 2.0
"""Seconds."""

_MOST_BUSY: Final = 0.1
"""Share of one core. Containers of a test run that was killed come back with the Docker daemon;
18 of them took 0.3 of each of two cores and a preview half as long again."""


def tell_if_busy() -> None:
    """Say so before a measurement when other programs are using the machine."""
    before = _ticks()
    time.sleep(_LOOKS_FOR)
    cores = busy_cores(before, _ticks(), os.cpu_count() or 1)
    if cores > _MOST_BUSY:
        say(
            f"the machine is busy with something else ({cores:.1f} cores): do not trust the "
            "figures; look at 'docker ps' and 'top', and measure again when it is quiet"
        )


def busy_cores(before: list[int], after: list[int], cores: int) -> float:
    """How many cores worked between two readings of the first line of ``/proc/stat``."""
    passed = [late - early for early, late in zip(before, after, strict=True)]
    waiting = sum(passed[3:5])  # idle, and idle for a disk
    return cores * (1 - waiting / sum(passed)) if sum(passed) else 0.0


def _ticks() -> list[int]:
    line = Path("/proc/stat").read_text().partition("\n")[0]
    # The two last ones, guests' time, are counted in the first ones too.
    return [int(word) for word in line.split()[1:9]]
