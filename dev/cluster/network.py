"""The bridges of the cluster: one for the node's address, one for its pods."""

import contextlib
from pathlib import Path

from dev.cluster import commands, firewall, layout
from dev.toolchain import steps

_SYSCTLS = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
"""Docker sets both too; they stay on when the cluster is gone."""

# The library of the container runtime keeps what it did in a fixed place.
_CNI_RESULTS = Path("/var/lib/cni/results")


def ensure() -> None:
    """Make the bridges and rules that are not there."""
    _refuse_overlap()
    # The rest of its range is for the addresses that a test gives to a LoadBalancer service.
    _bridge(layout.NODE_BRIDGE, f"{layout.NODE_ADDRESS}/24")
    _bridge(layout.POD_BRIDGE, f"{layout.POD_GATEWAY}/24")
    # Without a default route the machine would not even try a service address.
    commands.done(
        ["ip", "route", "replace", layout.SERVICE_CIDR, "dev", layout.NODE_BRIDGE,
         "src", layout.NODE_ADDRESS]
    )  # fmt: skip
    if not Path("/proc/sys/net/bridge").exists():
        commands.done(["modprobe", "br_netfilter"])
    for name, value in _SYSCTLS.items():
        Path("/proc/sys", name).write_text(value)
    firewall.ensure()


def remove() -> None:
    """Remove the bridges, what is plugged in, and every packet filter rule of the cluster."""
    # A killed pod's half-closed connections keep its end of the cable alive for minutes.
    for name in (*cables(), layout.POD_BRIDGE, layout.NODE_BRIDGE):
        # Others go by themselves in this moment.
        if not commands.succeeds(["ip", "link", "delete", name]) and _exists(name):
            commands.done(["ip", "link", "delete", name])
    firewall.remove()
    for result in _CNI_RESULTS.glob("*"):
        if str(layout.CONTAINERD_STATE) in result.read_text():
            result.unlink()
    for folder in (_CNI_RESULTS, _CNI_RESULTS.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def cables() -> list[str]:
    """The interfaces that are plugged into the pods' bridge, one a pod."""
    return sorted(path.name for path in Path("/sys/class/net", layout.POD_BRIDGE).glob("brif/*"))


def left() -> list[str]:
    """What of the network is still there."""
    bridges = (layout.POD_BRIDGE, layout.NODE_BRIDGE)
    return [f"bridge {name}" for name in bridges if _exists(name)] + firewall.left()


def _exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def _bridge(name: str, address: str) -> None:
    if not _exists(name):
        commands.done(["ip", "link", "add", name, "type", "bridge"])
    commands.done(["ip", "address", "replace", address, "dev", name])
    commands.done(["ip", "link", "set", name, "up"])


def _refuse_overlap() -> None:
    """Another network of the machine in the same range would make both unreachable."""
    routes = commands.done(["ip", "-o", "-4", "route", "show"])
    for line in routes.splitlines():
        ours = f"dev {layout.POD_BRIDGE}" in line or f"dev {layout.NODE_BRIDGE}" in line
        prefixes = ("10.244.77.", "10.245.77.", "10.96.0.")
        if not ours and line.startswith(prefixes):
            raise steps.SetupError(
                f"the machine has a network in a range of the cluster: {line.strip()}",
                "remove that network, or give your own cluster with --kubeconfig",
            )
