"""The Debian packages that the cluster's node needs."""

import shutil
from pathlib import Path

from dev.cluster import layout
from dev.toolchain import debian_packages, steps

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
    # At run level 1, Debian starts none of their services.
    debian_packages.install(wanted, {"RUNLEVEL": "1"})


def missing() -> list[str]:
    """The packages whose programs are not there."""
    wanted = {package for program, package in _NEEDED.items() if not shutil.which(program)}
    if not (layout.CNI_PLUGINS / "bridge").exists():
        wanted.add(_CNI_PACKAGE)
    return sorted(wanted)
