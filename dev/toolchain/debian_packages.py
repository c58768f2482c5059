"""Programs from Debian's packages: installed as root on Debian, told about anywhere else."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.toolchain import steps

_UPDATE_LIMIT_SECONDS = 300
_INSTALL_LIMIT_SECONDS = 900


def ensure(programs: Mapping[str, str], *, user: str) -> None:
    """Have these programs (each with its package) for ``user``, such as "the tests".

    Raises SetupError with the cure.
    """
    missing = {name: package for name, package in programs.items() if not shutil.which(name)}
    if not missing:
        return
    packages = sorted(set(missing.values()))
    if not can_install():
        raise steps.SetupError(
            f"{user} can't do without {', '.join(sorted(missing))}",
            f"install what Debian has in {', '.join(packages)}",
        )
    install(packages)


def can_install() -> bool:
    """True as root on Debian."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists()


def install(packages: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Install packages on Debian, as root; ``environment`` is for what they run. Raises
    SetupError."""
    names = " ".join(packages)
    cure = f"run 'apt-get update && apt-get install {names}' by hand to see more"
    apt = {"DEBIAN_FRONTEND": "noninteractive", **(environment or {})}
    with steps.step(f"installing {', '.join(packages)}"):
        steps.run(
            ["apt-get", "update"],
            limit=_UPDATE_LIMIT_SECONDS, cure=cure, log="apt-update", env=apt,
        )  # fmt: skip
        steps.run(
            ["apt-get", "install", "-y", "--no-install-recommends", *packages],
            limit=_INSTALL_LIMIT_SECONDS, cure=cure, log=f"apt-{packages[0]}", env=apt,
        )  # fmt: skip
