"""Packet filter rules: the cluster's own, and the removal of everything the cluster made.

Docker's rules share the same tables, so only chains whose names are the cluster's are touched.
"""

import re
import shutil

from dev.cluster import backends, commands, layout

FORWARD, INPUT, MASQUERADE = "KATO-LB-FORWARD", "KATO-LB-INPUT", "KATO-LB-POSTROUTING"

_OURS = re.compile(r"^(KUBE-|KATO-LB-|CNI-)")
_IPSET_OURS = re.compile(r"^(inet6:)?(KUBE-|kube-router-)")


def own_rules() -> dict[tuple[str, str], list[str]]:
    """(table, chain) → its rules."""
    node, pods = layout.NODE_ADDRESS, layout.POD_BRIDGE
    return {
        # Docker's policy for forwarding is to drop; bridged packets pass here too.
        ("filter", FORWARD): [
            f"-o {pods} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            f"-i {pods} -j ACCEPT",
            f"-o {pods} -j DROP",
        ],
        # The node's address is for this machine and its pods.
        ("filter", INPUT): [
            "-i lo -j RETURN",
            f"-i {pods} -j RETURN",
            f"-d {node}/32 -j DROP",
        ],
        ("nat", MASQUERADE): [
            f"-s {layout.POD_CIDR} ! -o {pods} -j MASQUERADE",
        ],
    }


_HOOKS = {FORWARD: ("-A", "FORWARD"), INPUT: ("-I", "INPUT"), MASQUERADE: ("-A", "POSTROUTING")}


def ensure() -> None:
    """Put the cluster's own chains in place."""
    for (table, chain), rules in own_rules().items():
        text = [f"*{table}", f":{chain} - [0:0]", *(f"-A {chain} {rule}" for rule in rules)]
        commands.done(
            ["iptables-restore", "--wait", "--noflush"], given="\n".join([*text, "COMMIT", ""])
        )
        how, hook = _HOOKS[chain]
        base = ["iptables", "--wait", "--table", table]
        if not commands.succeeds([*base, "-C", hook, "-j", chain]):
            commands.done([*base, how, hook, "-j", chain])


def remove() -> None:
    """Remove the chains of the cluster, kube-proxy and kube-router, and kube-router's sets."""
    for save, restore in backends.savers():
        script = removal(commands.done([save]))
        if script:
            commands.done([restore, "--wait", "--noflush"], given=script)
    if shutil.which("ipset"):
        for name in commands.done(["ipset", "list", "-name"]).split():
            if _IPSET_OURS.match(name):
                commands.done(["ipset", "destroy", name])


def left() -> list[str]:
    """What of the cluster is still in the packet filter."""
    found = []
    for save, _ in backends.savers():
        found += [f"{save}: chain {name}" for name in chains(commands.done([save]))]
    if shutil.which("ipset"):
        names = commands.done(["ipset", "list", "-name"]).split()
        found += [f"ipset {name}" for name in names if _IPSET_OURS.match(name)]
    return found


def chains(saved: str) -> list[str]:
    """The cluster's chains in the output of iptables-save."""
    names = (line[1:].split()[0] for line in saved.splitlines() if line.startswith(":"))
    return [name for name in names if _OURS.match(name)]


def removal(saved: str) -> str:
    """From the output of iptables-save, the input for iptables-restore that removes the cluster.

    Rules of other chains that jump to the cluster's go first, then its chains.
    """
    script: list[str] = []
    table: list[str] = []
    found: list[str] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            table, found = [line], []
        elif line.startswith(":"):
            name = line[1:].split()[0]
            if _OURS.match(name):
                found.append(name)
        elif line.startswith("-A "):
            words = line.split()
            target = words[words.index("-j") + 1] if "-j" in words else ""
            if not _OURS.match(words[1]) and _OURS.match(target):
                table.append(f"-D {line[3:]}")
        elif line == "COMMIT" and found:
            flush = [f"-F {name}" for name in found]
            script += [*table, *flush, *(f"-X {name}" for name in found), "COMMIT"]
    return "\n".join([*script, ""]) if script else ""
