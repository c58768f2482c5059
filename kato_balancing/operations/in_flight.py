"""How much a replica still has to do for a balancer, as the kernel and the process list know it.

nginx has no figure of a server's requests, and HAProxy's count of them ends at a reload: the
process before it keeps its own. What holds for both is that a request needs a connection. So the
balancer's connections are counted where they end, in the replica's own network, whichever of the
balancer's processes made them. Idle ones count too; the balancer closes them within seconds
(``keep_alive.idle``). A process from before the reload may still send a kept client's request to
the replica, so those are counted as well.
"""

import ipaddress
import re
import subprocess
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from kato_balancing import kato
from kato_balancing.operations.report import OperationError

_ASK_LIMIT: Final = 20.0

_BUSY: Final = {"01", "08"}
"""ESTABLISHED, and CLOSE_WAIT: the balancer gave up and KATO may still be at it."""

_OLD_NGINX: Final = re.compile(r"nginx: worker process is shutting down")


@dataclass(frozen=True, slots=True)
class InFlight:
    """What may still reach a replica, or is being answered by it."""

    connections: int
    """The balancer's connections at the replica, idle ones too."""
    old_processes: int
    """The balancer's processes that still work by its configuration before the last reload."""

    @property
    def nothing(self) -> bool:
        """True when nothing is in flight and nothing can come."""
        return not self.connections and not self.old_processes


def at_container(replica: str, balancer: str) -> InFlight:
    """What the container ``replica`` has in flight for the container ``balancer``.

    Raises OperationError when Docker can't tell.
    """
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}} {{end}}"
    addresses = _docker("inspect", "--format", form, balancer).split()
    # A replica that does not run, such as one whose replacement failed, has nothing in flight.
    running = _docker("ps", "--quiet", "--filter", f"id={replica}", "--filter", "status=running")
    tables = ("/proc/net/tcp", "/proc/net/tcp6")
    table = _docker("exec", replica, "cat", *tables) if running.strip() else ""
    processes = _docker("top", balancer, "-eo", "pid,ppid,args")
    return InFlight(connections(table, addresses), old_processes(processes))


def connections(table: str, peers: Collection[str]) -> int:
    """Connections at KATO's port from ``peers``, in the text of ``/proc/net/tcp`` and ``tcp6``."""
    known = {ipaddress.ip_address(peer) for peer in peers}
    count = 0
    for line in table.splitlines():
        words = line.split()
        if len(words) < 4 or words[0] == "sl":
            continue
        _, local, remote, state = words[:4]
        at_kato = int(local.rpartition(":")[2], 16) == kato.PORT
        count += at_kato and state in _BUSY and _address(remote.rpartition(":")[0]) in known
    return count


def old_processes(listing: str) -> int:
    """The balancer's processes of an earlier configuration, in ``docker top -eo pid,ppid,args``.

    nginx names them. HAProxy's look all alike: its first process has one child of its own name,
    and for each earlier configuration one more.
    """
    rows = [line.split(maxsplit=2) for line in listing.splitlines()[1:]]
    if any(command.startswith("nginx") for _, _, command in rows):
        return sum(_OLD_NGINX.match(command) is not None for _, _, command in rows)
    haproxy = {pid: parent for pid, parent, command in rows if command.startswith("haproxy")}
    masters = set(haproxy) - {pid for pid, parent in haproxy.items() if parent in haproxy}
    return max(0, _children(haproxy.values(), masters) - 1)


def _children(parents: Iterable[str], masters: Collection[str]) -> int:
    return sum(parent in masters for parent in parents)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address as the kernel writes it: groups of four bytes, the last byte first."""
    raw = bytes.fromhex(text)
    packed = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    found = ipaddress.ip_address(packed)
    return getattr(found, "ipv4_mapped", None) or found


def _docker(*words: str) -> str:
    cure = "check that Docker runs and DOCKER_HOST is the stack's"
    try:
        done = subprocess.run(
            ["docker", *words],
            capture_output=True,
            text=True,
            timeout=_ASK_LIMIT,
            check=False,
        )
    except FileNotFoundError:
        raise OperationError("docker is not on PATH; install Docker's command line") from None
    except subprocess.TimeoutExpired:
        problem = f"'docker {words[0]}' did not answer within {_ASK_LIMIT:g} s"
        raise OperationError(f"{problem}; {cure}") from None
    if done.returncode:
        raise OperationError(f"'docker {words[0]}' failed: {done.stderr.strip()}; {cure}")
    return done.stdout
