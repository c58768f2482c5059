"""The socket that the balancer sends its log to: datagrams, read many at a time."""

import contextlib
import os
import select
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

_LONGEST_LINE = 65_536
_FASTEST = 20_000
"""Lines a second that the socket's queue must take between two reads."""
_LONGEST_PAUSE_SECONDS = 0.05
_QUEUE_LENGTH = Path("/proc/sys/net/unix/max_dgram_qlen")


class SocketError(RuntimeError):
    """The socket can't be made; says why and what to do."""


class LogSocket:
    """A UNIX datagram socket at ``path``; what a process before left there is replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            _remove(path)
            self._socket.bind(str(path))
            # The balancer runs as a user of its own.
            path.chmod(0o666)
        except OSError as error:
            self._socket.close()
            raise SocketError(
                f"no socket can be made at {path} ({error}); give a path in a folder that this "
                "user may write to"
            ) from None
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._pause = _pause_seconds()
        self._buffer = memoryview(bytearray(_LONGEST_LINE))

    def lines(self, wait_seconds: float) -> Iterator[bytes]:
        """The datagrams that have come; none after ``wait_seconds`` without one.

        A short pause lets them gather: waking up for each costs the balancer more than all the
        rest.
        """
        if not self._poll.poll(wait_seconds * 1000):
            return
        time.sleep(self._pause)
        # Bounded, so that what was read is counted even if they never end.
        for _ in range(_FASTEST):
            try:
                length = self._socket.recv_into(self._buffer)
            except BlockingIOError:
                return
            yield bytes(self._buffer[:length])

    def close(self) -> None:
        """End it; the balancer goes on without it."""
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError("something else than a socket is there")
        path.unlink()


def _pause_seconds() -> float:
    """As long as the kernel's queue of datagrams lasts: 10 lines by default, half a millisecond;
    512 (sysctl net.unix.max_dgram_qlen) are 26."""
    try:
        length = int(_QUEUE_LENGTH.read_text())
    except (OSError, ValueError):
        length = 10
    return min(_LONGEST_PAUSE_SECONDS, length / _FASTEST)
