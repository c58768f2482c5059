"""The socket: takes what comes, whoever was there before, and disturbs nobody."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kato_balancing.monitoring.exporter.log_socket import LogSocket, SocketError


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.setblocking(False)
        yield made


def test_lines_come_in_order_and_whole(tmp_path: Path, sender: socket.socket) -> None:
    log = LogSocket(tmp_path / "socket")
    lines = [b"first", b"", b"x" * 60_000]
    for line in lines:
        sender.sendto(line, str(tmp_path / "socket"))

    assert list(log.lines(5)) == lines
    assert list(log.lines(0)) == []
    log.close()


def test_every_user_may_send(tmp_path: Path) -> None:
    log = LogSocket(tmp_path / "socket")

    assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o666
    log.close()


def test_a_socket_of_a_process_before_is_replaced(tmp_path: Path, sender: socket.socket) -> None:
    LogSocket(tmp_path / "socket")._socket.close()

    log = LogSocket(tmp_path / "socket")
    sender.sendto(b"line", str(tmp_path / "socket"))
    assert list(log.lines(5)) == [b"line"]
    log.close()
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_no_socket_stays(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")

    with pytest.raises(SocketError, match=f"{file}.*give a path in a folder"):
        LogSocket(file)
    assert file.read_text() == "kept"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SocketError, match="no/socket"):
        LogSocket(tmp_path / "no" / "socket")


def test_a_full_queue_refuses_the_sender_and_does_not_hold_it(
    tmp_path: Path, sender: socket.socket
) -> None:
    log = LogSocket(tmp_path / "socket")
    sent: list[bytes] = []

    def fill() -> None:
        while True:
            sender.sendto(b"line", str(tmp_path / "socket"))
            sent.append(b"line")

    with pytest.raises(BlockingIOError):
        fill()
    assert sent
    assert list(log.lines(5)) == sent
    log.close()
