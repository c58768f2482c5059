"""``dig``, which the tests of the DNS server ask with."""

import os
import shutil
from pathlib import Path

from dev.toolchain import steps


def ensure() -> None:
    """Have dig; on Debian as root it is installed. Raises SetupError with the cure."""
    if shutil.which("dig"):
        return
    cure = "install the package that has dig (bind9-dnsutils on Debian, bind-utils on Fedora)"
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        raise steps.SetupError("the tests need dig, which is not installed", cure)
    apt = {"DEBIAN_FRONTEND": "noninteractive"}
    with steps.step("installing dig"):
        steps.run(["apt-get", "update"], limit=300, cure=cure, log="apt-update", env=apt)
        steps.run(
            ["apt-get", "install", "-y", "--no-install-recommends", "bind9-dnsutils"],
            limit=300, cure=cure, log="apt-dig", env=apt,
        )  # fmt: skip
