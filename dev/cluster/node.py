"""The one node of this machine: starts it, says how it is, removes it."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from dev.cluster import (
    addons,
    api,
    certificates,
    components,
    configuration,
    firewall,
    images,
    layout,
    leftovers,
    network,
    packages,
    processes,
    recipes,
)
from dev.toolchain import places, steps

_READY_LIMIT_SECONDS = 120
_POLL_SECONDS = 0.2
_ANEW = "'python3 -m dev.cluster down' and 'up' start anew"
_LATER = (*components.CORE, *components.NODE_WATCHERS)
_PARTS = (*components.BASE, *_LATER)
_FIXED = tuple(part.name for part in _PARTS)


def start() -> None:
    """Start the cluster, or whatever of it has ended, and return when it is usable."""
    packages.ensure()
    recipes.ensure_all()
    if _machine_restarted():
        steps.say("the machine has been restarted since; starting the cluster anew")
        remove()
    if _abandoned():
        steps.say(f"the cluster that was started from {owner()} has ended; starting it anew")
        remove()
    if not layout.OWNER.exists():
        _refuse_other_node()
    with steps.step("starting Kubernetes"):
        _start()


def healthy() -> bool:
    """True when every process runs and the node and its services answer."""
    if not layout.OWNER.exists() or _machine_restarted():
        return False
    return (
        all(processes.running(part.name) for part in _PARTS)
        and api.ready()
        and _node_ready()
        and _deployed("coredns")
        and _metrics_available()
    )


def remove() -> None:
    """Stop everything and remove all that the cluster put on this machine."""
    if _machine_restarted():
        processes.forget_all()
    for part in reversed(_LATER):
        processes.stop(part.name, part.patience)
    for name in extra_processes():
        processes.stop(name, 3)
    leftovers.end_pods()
    for part in reversed(components.BASE):
        processes.stop(part.name, part.patience)
    # A shim that containerd was just starting shows only now.
    leftovers.end_pods()
    leftovers.unmount()
    leftovers.remove_control_groups()
    network.remove()
    leftovers.remove_kubelet_files()
    _delete_files()


def left() -> list[str]:
    """What a stopped cluster should not have left on this machine."""
    found = [f"process {name}" for name in _recorded() if processes.running(name)]
    if layout.HOME.exists():
        found.append(f"folder {layout.HOME}")
    return found + leftovers.left() + network.left()


def owner() -> Path | None:
    """The clone that started the cluster; None when there is none."""
    try:
        return Path(layout.OWNER.read_text().strip())
    except FileNotFoundError:
        return None


def extra_processes() -> list[str]:
    """Names of recorded processes that are no fixed part of the cluster."""
    return [name for name in _recorded() if name not in _FIXED]


def states() -> dict[str, processes.Identity | None]:
    """Every process of the cluster → its identity, or None when it has ended."""
    return {name: processes.running(name) for name in (*_FIXED, *extra_processes())}


def _delete_files() -> None:
    # The owner's file goes last: without it, what is left would count as someone else's.
    entries = sorted(layout.HOME.glob("*"), key=lambda path: path == layout.OWNER)
    try:
        for entry in entries:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        if layout.HOME.exists():
            layout.HOME.rmdir()
    except OSError as error:
        raise steps.SetupError(
            f"the cluster's files can't be removed ({error})",
            f"end what still writes to {layout.HOME}, then run this again",
        ) from None


def _recorded() -> list[str]:
    return sorted(path.stem for path in layout.PROCESSES.glob("*.json"))


def _start() -> None:
    layout.HOME.mkdir(mode=0o711, parents=True, exist_ok=True)
    if not layout.OWNER.exists():
        layout.OWNER.write_text(f"{places.ROOT}\n")
    layout.BOOT.write_text(_boot())
    for name, identity in states().items():
        if identity is None:
            processes.stop(name, 0)
    layout.VOLUMES.mkdir(exist_ok=True)
    layout.POD_LOGS.mkdir(exist_ok=True)
    certificates.ensure()
    configuration.write_all()
    network.ensure()
    _ensure_running(*components.BASE)
    _wait("containerd", images.answers)
    images.ensure_programs(addons.own_images())
    _wait("the API server", api.ready)
    _ensure_running(*components.CORE)
    outside = bool(configuration.RESOLV_CONF.read_text())
    addons.apply_all([addons.storage_class(), *addons.names(outside=outside), *addons.metrics()])
    _wait("the node", _node_ready)
    steps.say("    the node is ready")
    _ensure_running(*components.NODE_WATCHERS)
    _wait("CoreDNS", lambda: _deployed("coredns"))
    steps.say("    names are answered")
    _wait("metrics", _metrics_available)


def _wait(what: str, condition: Callable[[], bool]) -> None:
    """Return when the condition holds; say at once which process ended instead of waiting."""
    started = time.monotonic()
    while not condition():
        for name in _recorded():
            if not processes.running(name):
                raise steps.SetupError(f"{name} has ended", f"see {processes.log(name)}; {_ANEW}")
        if time.monotonic() - started > _READY_LIMIT_SECONDS:
            raise steps.SetupError(
                f"{what}: not ready within {_READY_LIMIT_SECONDS} s", f"see {layout.LOGS}; {_ANEW}"
            )
        time.sleep(_POLL_SECONDS)


def _ensure_running(*parts: components.Component) -> None:
    for part in parts:
        if not processes.running(part.name):
            processes.start(part.name, part.command(), part.environment())


def _refuse_other_node() -> None:
    found = [*leftovers.left(), *firewall.left()]
    if found:
        raise steps.SetupError(
            f"another Kubernetes node seems to run on this machine ({found[0]})",
            "give that cluster with --kubeconfig, or stop it first",
        )


def _machine_restarted() -> bool:
    return layout.BOOT.exists() and layout.BOOT.read_text() != _boot()


def _abandoned() -> bool:
    """True when another clone's cluster has no process left: nobody will stop or mend it."""
    return owner() not in (None, places.ROOT) and not any(states().values())


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text()


def _node_ready() -> bool:
    node = api.get(f"/api/v1/nodes/{layout.NODE_NAME}") or {}
    # The condition outlives a kubelet that has ended; the kubelet's own answer does not.
    kubelet = api.request("GET", f"/api/v1/nodes/{layout.NODE_NAME}/proxy/healthz")
    return _condition(node, "Ready") and kubelet == b"ok"


def _deployed(name: str) -> bool:
    found = api.get(f"/apis/apps/v1/namespaces/kube-system/deployments/{name}") or {}
    return int(found.get("status", {}).get("readyReplicas", 0)) > 0


def _metrics_available() -> bool:
    return api.get("/apis/metrics.k8s.io/v1beta1/nodes") is not None


def _condition(item: object, kind: str) -> bool:
    status = item.get("status", {}) if isinstance(item, dict) else {}
    return any(c["type"] == kind and c["status"] == "True" for c in status.get("conditions", []))
