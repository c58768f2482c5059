"""Servers by name: how they are given, and whose an address is when addresses change."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from kato_balancing.monitoring.exporter.server_names import NamedServer, ServerNames


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kato-0=kato-0:8000", NamedServer("kato-0", "kato-0", 8000)),
        ("a=10.0.0.1:1", NamedServer("a", "10.0.0.1", 1)),
        ("a=[2001:db8::1]:8000", NamedServer("a", "2001:db8::1", 8000)),
    ],
)
def test_a_server_is_read_and_written_the_same(text: str, expected: NamedServer) -> None:
    assert NamedServer.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text", ["", "a", "a=", "=b:1", "a=b", "a=:1", "a=b:0", "a=b:65536", "a=b:x", "a=b:-1"]
)
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be NAME=HOST:PORT"):
        NamedServer.parse(text)


def test_an_address_has_the_name_of_who_is_there_now(monkeypatch: pytest.MonkeyPatch) -> None:
    book = {"one": "10.0.0.1", "two": "10.0.0.2"}

    def look_up(host: str, port: int, **_: object) -> list[object]:
        if host not in book:
            raise socket.gaierror(host)
        return [(None, None, None, None, (book[host], port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    names = ServerNames([NamedServer("a", "one", 8000), NamedServer("b", "two", 8000)])
    with ThreadPoolExecutor(2) as pool:
        names.refresh(pool)
        assert [names.of("10.0.0.1:8000"), names.of("10.0.0.2:8000")] == ["a", "b"]
        # Both restarted: one is away, two has the address that was one's.
        book.clear()
        book["two"] = "10.0.0.1"
        names.refresh(pool)

    assert names.of("10.0.0.1:8000") == "b"
    assert names.of("10.0.0.2:8000") == "b"
    assert names.of("10.0.0.3:8000") == "10.0.0.3:8000"
    assert names.of("10.0.0.1:9000") == "10.0.0.1:9000"


def test_a_name_that_can_not_be_looked_up_has_no_address() -> None:
    assert NamedServer("a", "x" * 64, 8000).addresses() == []
    assert NamedServer("a", "nobody.invalid", 8000).addresses() == []
    assert NamedServer("a", "::1", 8000).addresses() == ["[::1]:8000"]
