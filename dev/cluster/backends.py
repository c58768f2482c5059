"""The two backends of iptables, nft and legacy: each has tables of its own, and packets pass both.

kube-router saves the whole filter table, thinks, and puts it back: what Docker or kube-proxy wrote
meanwhile is gone (8 of 400 rules in 23 s of pods coming and going), and nobody can reach a Docker
network without its rules. So it gets the backend that the others don't use.
"""

import os
import shutil
from collections.abc import Iterator

from dev.cluster import commands, layout
from dev.toolchain import steps

_FAMILIES = ("iptables", "ip6tables")
_ENDINGS = ("", "-save", "-restore")


def spare() -> str | None:
    """The backend that plain ``iptables`` is not; None where the machine has only one."""
    other = "legacy" if "nf_tables" in commands.done(["iptables", "--version"]) else "nft"
    usable = commands.succeeds([f"iptables-{other}", "--wait", "--list", "--numeric"])
    return other if usable else None


def environment() -> dict[str, str]:
    """For kube-router: a PATH on which ``iptables`` is the spare backend, if there is one."""
    backend = spare()
    if backend is None:
        steps.say("kube-router shares iptables with Docker here: rules of either may get lost")
        return {}
    folder = layout.HOME / "spare-iptables"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (f"{family}{ending}" for family in _FAMILIES for ending in _ENDINGS):
        found = shutil.which(name.replace("tables", f"tables-{backend}"))
        link = folder / name
        link.unlink(missing_ok=True)
        if found:
            link.symlink_to(found)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def savers() -> Iterator[tuple[str, str]]:
    """``-save`` and ``-restore`` of every family and backend that the machine has."""
    for family in _FAMILIES:
        named = [f"{family}-{backend}" for backend in ("nft", "legacy")]
        for program in [one for one in named if shutil.which(f"{one}-save")] or [family]:
            if shutil.which(f"{program}-save"):
                yield f"{program}-save", f"{program}-restore"
