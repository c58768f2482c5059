"""A name server inside the test, whose answers change at once."""

import contextlib
import socket
import threading
from collections.abc import Iterator

_PORT = 53
_HEADER, _NOT_FOUND = 12, 3


@contextlib.contextmanager
def name_server(address: str, names: dict[str, str]) -> Iterator[None]:
    """Answers for ``names`` (name → IPv4 address) on port 53 of a loopback address; what is put
    into ``names`` later is the next answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.bind((address, _PORT))
        asked.settimeout(0.2)
        over = threading.Event()
        thread = threading.Thread(target=_serve, args=(asked, names, over))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(10)


def _serve(asked: socket.socket, names: dict[str, str], over: threading.Event) -> None:
    while not over.is_set():
        with contextlib.suppress(TimeoutError):
            question, sender = asked.recvfrom(512)
            asked.sendto(_answer(question, names), sender)


def _answer(query: bytes, names: dict[str, str]) -> bytes:
    end, labels = _HEADER, []
    while length := query[end]:
        labels.append(query[end + 1 : end + 1 + length].decode())
        end += 1 + length
    # After the name's last byte: its type and class.
    question = query[_HEADER : end + 5]
    address = names.get(".".join(labels))
    if address is None:
        return query[:2] + bytes([0x81, 0x80 | _NOT_FOUND, 0, 1, 0, 0, 0, 0, 0, 0]) + question
    head = query[:2] + bytes([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
    # The question's name, an IPv4 address of the Internet, for one second.
    record = bytes([0xC0, _HEADER, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4])
    return head + question + record + socket.inet_aton(address)
