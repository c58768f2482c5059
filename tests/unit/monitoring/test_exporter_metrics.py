"""What the log adds up to, as Prometheus reads it."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from log_samples import HAPROXY_EJECTION, NGINX_EJECTION, OTHERS, line, nginx_line
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from kato_balancing.monitoring.exporter.collector import BalancerCollector
from kato_balancing.monitoring.exporter.server_names import NamedServer, ServerNames
from kato_balancing.monitoring.exporter.session_table import SessionTable
from kato_balancing.monitoring.exporter.traffic import BUCKETS, Traffic

STATUS = (
    "Active connections: 7 \nserver accepts handled requests\n 100 98 400 \n"
    "Reading: 1 Writing: 2 Waiting: 4 \n"
)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """Every sample by its name and labels; fails when two have the same."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


@pytest.fixture
def exported() -> Callable[..., Samples]:
    """What is served after these lines."""

    def export(
        lines: Iterable[bytes],
        names: Iterable[NamedServer] = (),
        *,
        status: str | None = None,
        limit: int | None = None,
    ) -> Samples:
        known = ServerNames(names)
        traffic = Traffic(known, SessionTable())
        known.start()
        traffic.take(lines, time.monotonic())
        registry = CollectorRegistry()
        registry.register(
            BalancerCollector(traffic, threading.Lock(), status_url=status, connection_limit=limit)
        )
        text = generate_latest(registry).decode()
        assert "session-" not in text
        return samples(text)

    return export


def sample(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_requests_are_counted_by_server_and_status(exported: Callable[..., Samples]) -> None:
    found = exported(
        [
            line(session="session-1"),
            line(session="session-1", upstream="kato-1"),
            line(status="503", upstream="<NOSRV>", upstream_status="", session="session-1"),
            line(session="", upstream="kato-1"),
        ]
    )

    assert sample(found, "kato_lb_requests_total", server="kato-0", code="200") == 1
    assert sample(found, "kato_lb_requests_total", server="kato-1", code="200") == 2
    assert sample(found, "kato_lb_requests_total", server="none", code="503") == 1
    assert sample(found, "kato_lb_session_answers_total") == 2
    assert sample(found, "kato_lb_session_moves_total") == 1
    assert sample(found, "kato_lb_lost_update_suspects_total") == 1
    assert sample(found, "kato_lb_sessions", server="kato-1") == 1
    assert sample(found, "kato_lb_sessions", server="kato-0") == 0


def test_durations_fall_into_buckets(exported: Callable[..., Samples]) -> None:
    found = exported([line(seconds=s) for s in ("5e-3", "0.0051", "301")])

    def below(bound: str) -> float:
        return sample(found, "kato_lb_request_seconds_bucket", server="kato-0", le=bound)

    assert [below(str(bound)) for bound in BUCKETS] == [1.0, *[2.0] * (len(BUCKETS) - 1)]
    assert below("+Inf") == sample(found, "kato_lb_request_seconds_count", server="kato-0") == 3
    assert sample(found, "kato_lb_request_seconds_sum", server="kato-0") == pytest.approx(301.0101)


def test_addresses_get_the_names_of_their_servers(exported: Callable[..., Samples]) -> None:
    names = [NamedServer("a", "127.0.0.1", 8000), NamedServer("b", "::1", 8001)]
    found = exported(
        [
            nginx_line(upstream="127.0.0.1:8000, [::1]:8001", upstream_status="502, 200"),
            nginx_line(upstream="192.0.2.1:8000"),
        ],
        names,
    )

    assert sample(found, "kato_lb_requests_total", server="b", code="200") == 1
    assert sample(found, "kato_lb_requests_total", server="192.0.2.1:8000", code="200") == 1
    assert sample(found, "kato_lb_retries_total", server="a") == 1
    assert sample(found, "kato_lb_retries_total", server="b") == 0


def test_what_is_known_beforehand_begins_at_zero(exported: Callable[..., Samples]) -> None:
    found = exported([], [NamedServer("a", "127.0.0.1", 8000)])

    for name in ("retries", "ejections"):
        assert sample(found, f"kato_lb_{name}_total", server="a") == 0
    assert sample(found, "kato_lb_requests_total", server="a", code="502") == 0
    assert sample(found, "kato_lb_requests_total", server="none", code="503") == 0
    assert sample(found, "kato_lb_request_seconds_count", server="a") == 0
    assert sample(found, "kato_lb_lost_update_suspects_total") == 0


def test_ejections_of_both_programs(exported: Callable[..., Samples]) -> None:
    names = [NamedServer("kato-1", "127.0.0.1", 8000)]
    nginx = NGINX_EJECTION.replace(b"172.18.0.8", b"127.0.0.1")
    found = exported([HAPROXY_EJECTION, nginx, *OTHERS], names)

    assert sample(found, "kato_lb_ejections_total", server="kato-1") == 2


def test_a_client_makes_no_label(exported: Callable[..., Samples]) -> None:
    forged = NGINX_EJECTION + b', referrer: "upstream: "http://evil/"'
    path = NGINX_EJECTION.replace(b"/sessions/s/stm HTTP", b'/"upstream: "http://evil/" HTTP')
    found = exported([forged, path], [NamedServer("kato-1", "127.0.0.1", 8000)])

    servers = {value for _, labels in found for name, value in labels if name == "server"}
    assert servers == {"kato-1", "none"}
    assert sample(found, "kato_lb_ejections_total", server="none") == 2


def test_unreadable_lines_are_counted_and_do_no_harm(exported: Callable[..., Samples]) -> None:
    found = exported([b"{", line(), b"{]", *OTHERS])

    assert sample(found, "kato_lb_unreadable_lines_total") == 2
    assert sample(found, "kato_lb_log_lines_total") == 3 + len(OTHERS)
    assert sample(found, "kato_lb_requests_total", server="kato-0", code="200") == 1


def test_the_limit_is_shown_when_it_is_known(exported: Callable[..., Samples]) -> None:
    assert sample(exported([], limit=500), "kato_lb_connection_limit") == 500
    assert ("kato_lb_connection_limit", frozenset()) not in exported([])


@pytest.fixture
def page() -> Iterator[Callable[[str], str]]:
    """Serves a text; its URL."""
    servers = []

    def serve(text: str) -> str:
        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = HTTPServer(("127.0.0.1", 0), Page)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/lb/status"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_nginxs_own_numbers(exported: Callable[..., Samples], page: Callable[[str], str]) -> None:
    found = exported([], status=page(STATUS))

    assert sample(found, "kato_lb_nginx_up") == 1
    assert sample(found, "kato_lb_connections_dropped_total") == 2
    assert [
        sample(found, "kato_lb_connections", state=s) for s in ("reading", "writing", "waiting")
    ] == [1, 2, 4]


@pytest.mark.parametrize("text", ["", "no such page", None])
def test_an_nginx_that_gives_none_is_down(
    exported: Callable[..., Samples], page: Callable[[str], str], text: str | None
) -> None:
    found = exported([], status="http://127.0.0.1:1/" if text is None else page(text))

    assert sample(found, "kato_lb_nginx_up") == 0
    assert not [name for name, _ in found if name.startswith("kato_lb_connections")]
