"""What ``status`` prints: which parts run, how much memory they take, how to reach them."""

from pathlib import Path

from dev.cluster import given, ingress, layout, node, processes

_PAGE_KIB = 4


def report() -> tuple[bool, str]:
    """Whether the cluster is usable, and the text for a person."""
    if given.in_use():
        return True, f"Cluster:    given, {layout.KUBECONFIG.resolve()}"
    starter = node.owner()
    if starter is None:
        return False, "Cluster:    none is running"
    healthy = node.healthy()
    lines = [
        f"Cluster:    {'ready' if healthy else 'NOT ready'}, started from {starter}",
        f"API server: {layout.API_URL}",
        f"Kubeconfig: {layout.KUBECONFIG}",
        f"Ingress:    {ingress.URL if ingress.running() else 'off'}",
        "",
        *(_line(name, identity) for name, identity in node.states().items()),
    ]
    return healthy, "\n".join(lines)


def _line(name: str, identity: processes.Identity | None) -> str:
    if identity is None:
        return f"{name:<24} ended; see {processes.log(name)}"
    return f"{name:<24} process {identity.pid:<8} {_resident_mib(identity.pid):5.0f} MiB"


def _resident_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KIB / 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
