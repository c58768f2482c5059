"""Chromium, in which the tests look at the pages that are written for people."""

import os
import shutil
from pathlib import Path

from dev.toolchain import steps


def ensure() -> None:
    """Have Chromium; on Debian as root it is installed. Raises SetupError with the cure."""
    if shutil.which("chromium"):
        return
    cure = "install the package that has the command chromium (chromium on Debian and Fedora)"
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        raise steps.SetupError("the tests need chromium, which is not installed", cure)
    apt = {"DEBIAN_FRONTEND": "noninteractive"}
    with steps.step("installing chromium"):
        steps.run(["apt-get", "update"], limit=300, cure=cure, log="apt-update", env=apt)
        steps.run(
            ["apt-get", "install", "-y", "--no-install-recommends", "chromium"],
            limit=900, cure=cure, log="apt-chromium", env=apt,
        )  # fmt: skip
