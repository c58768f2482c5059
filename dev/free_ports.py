"""Ports of this machine for servers that start in a moment."""

import contextlib
import os
import random
import socket
from itertools import islice
from typing import Final

_RANGE: Final = range(15_000, 30_000)
"""Below the ports that the system gives to clients (Linux: from 32,768) and those of Kubernetes'
Services (from 30,000). A port that the system offers (``bind`` to 0) is one of the clients': with
a load beside it another connection took it before the server was there."""

_SIDES: Final = 4
"""Test processes beside each other, each with ports of its own."""

_handed_out: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses for TCP or UDP, each handed out once by this process.

    Raises RuntimeError when there are not as many.
    """
    side = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ours = [port for port in _RANGE if (port - side) % _SIDES == 0 and port not in _handed_out]
    random.shuffle(ours)
    found = list(islice(filter(_is_free, ours), count))
    if len(found) < count:
        raise RuntimeError(f"fewer than {count} free ports from {_RANGE.start} to {_RANGE.stop}")
    _handed_out.update(found)
    return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(type=kind) as probe:
                # On every address, as Docker publishes it.
                probe.bind(("0.0.0.0", port))  # noqa: S104
        return True
    return False
