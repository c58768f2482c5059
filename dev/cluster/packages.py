"""The Debian packages that the cluster's node needs."""

import shutil
from pathlib import Path

from dev.cluster import layout
from dev.toolchain import steps

_NEEDED = {
    "conntrack": "conntrack",
    "containerd": "containerd",
    "ctr": "containerd",
    "etcd": "etcd-server",
    "ip": "iproute2",
    "ipset": "ipset",
    "iptables": "iptables",
    "mount": "mount",
    "openssl": "openssl",
    "runc": "runc",
}
"""Program → package."""

_CNI_PACKAGE = "containernetworking-plugins"


def ensure() -> None:
    """Install what is missing; that needs Debian."""
    wanted = missing()
    if not wanted:
        return
    if not Path("/etc/debian_version").exists():
        raise steps.SetupError(
            f"these Debian packages' programs are missing: {', '.join(wanted)}",
            "install them, or give your own cluster with --kubeconfig",
        )
    cure = f"run 'apt-get update && apt-get install {' '.join(wanted)}' by hand to see more"
    apt = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with steps.step(f"installing {', '.join(wanted)}"):
        steps.run(["apt-get", "update"], limit=300, cure=cure, log="apt-update", env=apt)
        steps.run(
            ["apt-get", "install", "-y", "--no-install-recommends", *wanted],
            limit=900, cure=cure, log="apt-cluster", env=apt,
        )  # fmt: skip


def missing() -> list[str]:
    """The packages whose programs are not there."""
    wanted = {package for program, package in _NEEDED.items() if not shutil.which(program)}
    if not (layout.CNI_PLUGINS / "bridge").exists():
        wanted.add(_CNI_PACKAGE)
    return sorted(wanted)
