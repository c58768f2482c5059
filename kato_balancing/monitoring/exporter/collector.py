"""The traffic's numbers as Prometheus metrics; the session's id is never among the labels."""

import threading
import time
from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from kato_balancing.monitoring.exporter import nginx_status
from kato_balancing.monitoring.exporter.traffic import BUCKETS, Durations, Traffic


class BalancerCollector(Collector):
    """Reads ``traffic`` under ``lock``; asks nginx at ``status_url`` when there is one."""

    def __init__(
        self,
        traffic: Traffic,
        lock: threading.Lock,
        *,
        status_url: str | None,
        connection_limit: int | None,
    ) -> None:
        self._traffic, self._lock = traffic, lock
        self._status_url = status_url
        self._connection_limit = connection_limit

    def describe(self) -> list[Metric]:
        """Nothing: the names are known without asking nginx."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        with self._lock:
            found = list(self._of_traffic())
        yield from found
        if self._connection_limit is not None:
            yield GaugeMetricFamily(
                "kato_lb_connection_limit",
                "Connections that one KATO process accepts.",
                self._connection_limit,
            )
        if self._status_url is not None:
            yield from _of_nginx(self._status_url)

    def _of_traffic(self) -> Iterator[Metric]:
        traffic = self._traffic
        requests = CounterMetricFamily(
            "kato_lb_requests",
            "Requests by the server that answered or was asked last.",
            labels=("server", "code"),
        )
        for (server, code), count in traffic.requests.items():
            requests.add_metric((server, code), count)
        yield requests
        durations = HistogramMetricFamily(
            "kato_lb_request_seconds",
            "Time from a request's first byte to its answer's last.",
            labels=("server",),
        )
        for server, found in traffic.durations.items():
            durations.add_metric((server,), _buckets(found), found.total)
        yield durations
        yield _by_server(
            "kato_lb_retries", "Requests that a server was asked before another.", traffic.retries
        )
        yield _by_server(
            "kato_lb_ejections", "Times that a server was put aside.", traffic.ejections
        )
        sessions = GaugeMetricFamily(
            "kato_lb_sessions",
            "Sessions of the last ten minutes by the server that answered last.",
            labels=("server",),
        )
        live = traffic.sessions.live(time.monotonic())
        for server in {**traffic.durations, **live}:
            sessions.add_metric((server,), live.get(server, 0))
        yield sessions
        for name, text, value in (
            ("session_answers", "Answers that belong to a session.", traffic.session_answers),
            ("session_moves", "Answers by another server than before.", traffic.session_moves),
            (
                "lost_update_suspects",
                "Answers by another server than less than a minute before.",
                traffic.lost_update_suspects,
            ),
            (
                "sessions_crowded_out",
                "Live sessions forgotten for want of room.",
                traffic.sessions.crowded_out,
            ),
            ("log_lines", "Lines of the balancer's log.", traffic.lines),
            ("unreadable_lines", "Lines that make no sense.", traffic.unreadable_lines),
        ):
            yield CounterMetricFamily(f"kato_lb_{name}", text, value)


def _by_server(name: str, text: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=("server",))
    for server, count in counts.items():
        family.add_metric((server,), count)
    return family


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
    total, found = 0, []
    for bound, count in zip(bounds, durations.counts, strict=True):
        total += count
        found.append((bound, float(total)))
    return found


def _of_nginx(url: str) -> Iterator[Metric]:
    status = nginx_status.fetch(url)
    yield GaugeMetricFamily(
        "kato_lb_nginx_up", "1 when nginx gave its numbers.", status is not None
    )
    if status is None:
        return
    yield CounterMetricFamily(
        "kato_lb_connections_dropped", "Connections closed for want of a free one.", status.dropped
    )
    connections = GaugeMetricFamily(
        "kato_lb_connections", "Client connections by what they do.", labels=("state",)
    )
    for state in ("reading", "writing", "waiting"):
        connections.add_metric((state,), getattr(status, state))
    yield connections
