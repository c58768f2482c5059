"""Connections and processes, read from the kernel's and Docker's own words."""

import pytest

from kato_balancing.operations.in_flight import InFlight, connections, old_processes

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
BALANCER = "192.168.192.2"


def row(local: str, remote: str, state: str) -> str:
    return f"   2: {local} {remote} {state} 00000000:00000000 03:0000153A 00000000     0\n"


@pytest.mark.parametrize(
    ("table", "count"),
    [
        (HEAD, 0),
        (row("04C0A8C0:1F40", "02C0A8C0:D330", "01"), 1),
        (row("04C0A8C0:1F40", "02C0A8C0:D330", "08"), 1),
        (row("04C0A8C0:1F40", "02C0A8C0:D330", "06"), 0),  # TIME_WAIT
        (row("00000000:1F40", "00000000:0000", "0A"), 0),  # listens
        (row("04C0A8C0:1F40", "03C0A8C0:D330", "01"), 0),  # somebody else
        (row("0100007F:1F40", "0100007F:D330", "01"), 0),  # its own health check
        (row("04C0A8C0:DF4C", "02C0A8C0:18EB", "01"), 0),  # a call of its own
        (
            row(
                "0000000000000000FFFF000004C0A8C0:1F40",
                "0000000000000000FFFF000002C0A8C0:D330",
                "01",
            ),
            1,
        ),
        (HEAD + 3 * row("04C0A8C0:1F40", "02C0A8C0:D330", "01") + HEAD, 3),
    ],
)
def test_connections_of_the_balancer_at_kato_are_counted(table, count):
    assert connections(table, [BALANCER]) == count


def test_an_address_of_version_6_is_read_in_groups():
    table = row(
        "B80D0120000000000000000001000000:1F40", "B80D0120000000000000000002000000:D330", "01"
    )
    assert connections(table, ["2001:db8::2"]) == 1
    assert connections(table, ["2001:db8::1"]) == 0


TITLE = "PID                 PPID                COMMAND\n"
SHELL = "20678 20570 sh -c cd /etc/kato ... exec haproxy -W -db\n28583 20678 sleep 0.5\n"
HAPROXY = "haproxy -sf 10 -x sockpair@3 -W -db -f /etc/kato/current/haproxy.cfg"
NGINX = TITLE + "10 1 nginx: master process nginx -c x\n11 10 nginx: worker process\n"


@pytest.mark.parametrize(
    ("listing", "count"),
    [
        (TITLE + f"20570 20549 {HAPROXY}\n{SHELL}28294 20570 {HAPROXY}\n", 0),
        (TITLE + f"20570 1 {HAPROXY}\n{SHELL}28294 20570 {HAPROXY}\n9 20570 {HAPROXY}\n", 1),
        # A test of new files is the shell's child.
        (TITLE + f"20570 1 {HAPROXY}\n{SHELL}28294 20570 {HAPROXY}\n9 20678 haproxy -c\n", 0),
        (TITLE + f"20570 1 {HAPROXY}\n", 0),
        (NGINX, 0),
        (NGINX + "12 10 nginx: worker process is shutting down\n" * 2, 2),
    ],
)
def test_processes_of_an_earlier_configuration_are_counted(listing, count):
    assert old_processes(listing) == count


def test_only_with_neither_is_nothing_in_flight():
    assert InFlight(0, 0).nothing
    assert not InFlight(1, 0).nothing
    assert not InFlight(0, 1).nothing
