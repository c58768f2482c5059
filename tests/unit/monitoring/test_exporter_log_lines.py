"""Lines of both balancers' logs, and whatever else may come to the socket."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import HAPROXY_EJECTION, NGINX_EJECTION, OTHERS, line, nginx_line

from kato_balancing import haproxy_pools, nginx_pools
from kato_balancing.monitoring.exporter import log_lines
from kato_balancing.monitoring.exporter.log_lines import Ejection, Request, UnreadableLine, read


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (line(), Request("s", ("kato-0",), True, "200", 0.012)),
        (nginx_line(), Request("s", ("172.18.0.8:8000",), True, "200", 0.012)),
        (line(session=""), Request("", ("kato-0",), True, "200", 0.012)),
        (line(status="500", upstream_status="500"), Request("s", ("kato-0",), True, "500", 0.012)),
        # HAProxy has a dash for what is empty: no session of that name.
        (line(session="-"), Request("", ("kato-0",), True, "200", 0.012)),
        (line(upstream_status="-"), Request("s", ("kato-0",), False, "200", 0.012)),
        # Nobody was asked.
        (
            line(status="404", upstream="<NOSRV>", upstream_status=""),
            Request("s", (), False, "404", 0.012),
        ),
        (
            nginx_line(status="503", upstream="", upstream_status=""),
            Request("s", (), False, "503", 0.012),
        ),
        (
            nginx_line(status="502", upstream="kato", upstream_status="502"),
            Request("s", (), False, "502", 0.012),
        ),
        (
            nginx_line(status="502", upstream="kato_canary_spread", upstream_status="502"),
            Request("s", (), False, "502", 0.012),
        ),
        # A server of that name is one, in HAProxy's log.
        (line(upstream="kato"), Request("s", ("kato",), True, "200", 0.012)),
        # Asked without an answer.
        (
            line(status="502", upstream_status=""),
            Request("s", ("kato-0",), False, "502", 0.012),
        ),
        (
            nginx_line(status="502", upstream_status="502"),
            Request("s", ("172.18.0.8:8000",), False, "502", 0.012),
        ),
        (
            nginx_line(status="499", upstream_status="-"),
            Request("s", ("172.18.0.8:8000",), False, "499", 0.012),
        ),
        # Asked one after the other; a colon where nginx went to the backup servers.
        (
            nginx_line(upstream="10.0.0.1:8000, 10.0.0.2:8000", upstream_status="502, 200"),
            Request("s", ("10.0.0.1:8000", "10.0.0.2:8000"), True, "200", 0.012),
        ),
        (
            nginx_line(
                upstream="10.0.0.1:8000, kato : [2001:db8::1]:8000",
                upstream_status="502, 502 : 201",
            ),
            Request("s", ("10.0.0.1:8000", "[2001:db8::1]:8000"), True, "200", 0.012),
        ),
        (
            nginx_line(upstream="10.0.0.1:8000, 10.0.0.2:8000", upstream_status="200, 504"),
            Request("s", ("10.0.0.1:8000", "10.0.0.2:8000"), False, "200", 0.012),
        ),
        # The client went away before it sent a whole request, or before an answer.
        (line(status="-1", seconds="-1e-3"), Request("s", ("kato-0",), True, "none", 0.0)),
        (NGINX_EJECTION, Ejection("172.18.0.8:8000")),
        (HAPROXY_EJECTION, Ejection("kato-1")),
        *((other, None) for other in OTHERS),
    ],
)
def test_a_line_says(datagram: bytes, expected: Request | Ejection | None) -> None:
    assert read(datagram) == expected


@pytest.mark.parametrize(
    "datagram",
    [
        b"{",
        b'{"session": "s"}',
        line()[:-10],
        line(seconds="soon"),
        line(seconds=None),
        line(upstream_status=200),
        line(session=None),
        line(upstream=["kato-0"]),
        b'{"session":' * 10_000,
        b"<190>Nov 25 03:42:43 nginx: {}",
        b"{\xff}",
    ],
)
def test_what_is_no_access_log_is_refused(datagram: bytes) -> None:
    with pytest.raises(UnreadableLine):
        read(datagram)


def test_bytes_that_are_no_text_are_read() -> None:
    found = read(nginx_line().replace(b'"path": "/sessions/s/stm"', b'"path": "/\xff\x01"'))

    assert isinstance(found, Request)
    assert found.session == "s"


@settings(deadline=None, derandomize=True)
@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_nothing_else_is_raised_whatever_comes(datagram: bytes) -> None:
    for sent in (datagram, b"<1>" + datagram, b"{" + datagram, line()[:20] + datagram):
        with contextlib.suppress(UnreadableLine):
            assert isinstance(read(sent), Request | Ejection | None)


def test_the_upstreams_are_those_that_the_renderer_names() -> None:
    stable, canary, backup = nginx_pools.STABLE, nginx_pools.CANARY, nginx_pools.BACKUP
    spread = nginx_pools.SPREAD

    assert {stable, stable + spread, canary, canary + spread, backup} == log_lines.UPSTREAMS


def test_only_the_backend_that_probes_counts() -> None:
    assert read(HAPROXY_EJECTION.replace(b"kato/", haproxy_pools.CANARY.encode() + b"/")) == (
        Ejection("kato-1")
    )
