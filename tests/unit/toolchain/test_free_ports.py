"""Ports that stay free until a server listens there."""

import socket

import pytest

from dev import free_ports

CLIENTS_FROM = 32_768
"""Linux' own ``net.ipv4.ip_local_port_range``."""


def test_no_port_is_a_clients_or_is_handed_out_twice() -> None:
    found = [*free_ports.free_ports(50), *free_ports.free_ports(50), free_ports.free_port()]

    assert len(set(found)) == 101
    assert max(found) < CLIENTS_FROM


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_taken_port_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, kind: socket.SocketKind
) -> None:
    [one, other] = sorted(free_ports.free_ports(2))
    monkeypatch.setattr(free_ports, "_handed_out", set())
    monkeypatch.setattr(free_ports, "_SIDES", 1)
    monkeypatch.setattr(free_ports, "_RANGE", range(one, other + 1, other - one))
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", one))

        assert free_ports.free_port() == other
        with pytest.raises(RuntimeError, match="fewer than 1 free ports"):
            free_ports.free_port()


def test_processes_beside_each_other_get_different_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = []
    for worker in ("gw0", "gw1"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        sides.append({port % 4 for port in free_ports.free_ports(20)})

    assert sides == [{0}, {1}]
