"""What containers leave behind when their cluster goes: processes, mounts, control groups."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from dev.cluster import commands, layout, processes
from dev.toolchain import steps

_PODS = "kubepods"
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_LIMIT_SECONDS = 10
# The kubelet's plugin folder has a fixed place.
_DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
_LOG_LINKS = Path("/var/log/containers")


def end_pods() -> None:
    """End the processes of every pod, then the shims that watch over them."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while True:
        pids = set(_pod_processes())
        found = [identity for pid in pids if (identity := processes.identify(pid))]
        if not found:
            break
        processes.end(found, 0)
        if time.monotonic() > deadline:
            raise steps.SetupError("processes of pods do not end", "see 'ps'")
    processes.end(shims(), 0)


def shims() -> list[processes.Identity]:
    """containerd's helpers of this cluster; each names the socket of its containerd."""
    return processes.with_argument("-address", str(layout.CONTAINERD_SOCKET))


def unmount() -> None:
    """Unmount everything below the cluster's folder, the innermost first."""
    for point in reversed(mounts(Path("/proc/self/mountinfo").read_text(), layout.HOME)):
        if not commands.succeeds(["umount", point]):
            commands.done(["umount", "--lazy", point])
    still = mounts(Path("/proc/self/mountinfo").read_text(), layout.HOME)
    if still:
        # What is mounted there must not be deleted with the folder.
        raise steps.SetupError(f"{still[0]} can't be unmounted", "see 'findmnt'")


def mounts(mountinfo: str, below: Path) -> list[str]:
    """The mount points below a folder, in the order in which they were mounted."""
    points = (line.split()[4] for line in mountinfo.splitlines())
    decoded = (point.replace("\\040", " ") for point in points)
    return [point for point in decoded if point.startswith(f"{below}/")]


def remove_control_groups() -> None:
    """Remove the pods' control groups in every hierarchy, version 1 and 2."""
    for root in _pod_groups():
        folders = [Path(folder) for folder, _, _ in os.walk(root, topdown=False)]
        for folder in folders:
            deadline = time.monotonic() + 2
            while True:
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError as error:
                    # A group stays busy for a moment after its last process ended.
                    if time.monotonic() > deadline:
                        raise steps.SetupError(
                            f"{folder} can't be removed ({error.strerror})", "see 'ps'"
                        ) from None
                    time.sleep(0.02)


def remove_kubelet_files() -> None:
    """Remove what the kubelet keeps in places that can't be chosen, if nothing else is there."""
    with contextlib.suppress(FileNotFoundError):
        for link in _LOG_LINKS.iterdir():
            if link.is_symlink() and str(link.readlink()).startswith(f"{layout.POD_LOGS}/"):
                link.unlink()
    for name in ("kubelet.sock", "DEPRECATION"):
        (_DEVICE_PLUGINS / name).unlink(missing_ok=True)
    for folder in (_LOG_LINKS, _DEVICE_PLUGINS, _DEVICE_PLUGINS.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def left() -> list[str]:
    """What of the pods is still there."""
    found = [f"process {identity.pid} (containerd-shim)" for identity in shims()]
    found += [f"process {pid} of a pod" for pid in _pod_processes()]
    table = Path("/proc/self/mountinfo").read_text()
    found += [f"mount {point}" for point in mounts(table, layout.HOME)]
    return found + [f"control group {group}" for group in _pod_groups()]


def _pod_groups() -> list[Path]:
    candidates = [_CONTROL_GROUPS / _PODS, *_CONTROL_GROUPS.glob(f"*/{_PODS}")]
    return [path for path in candidates if path.is_dir() and not path.parent.is_symlink()]


def _pod_processes() -> Iterator[int]:
    for group in _pod_groups():
        # Groups disappear on the way: unlike rglob, walk goes on then.
        for folder, _, _ in os.walk(group):
            with contextlib.suppress(OSError):
                yield from map(int, Path(folder, "cgroup.procs").read_text().split())
