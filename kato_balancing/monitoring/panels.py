"""THE list of panels and alerts: rules, dashboard and documentation are made from it.

Both balancers feed the same expressions. Where HAProxy counts a thing itself and nginx does not,
an expression reads ``HAProxy's own or the exporter's``; what HAProxy has by server stands under
the same label, ``server``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

KATO_JOB: Final = "kato"
BALANCER_JOB: Final = "kato-balancer"
EXPORTER_JOB: Final = "kato-exporter"
REDIS_JOB: Final = "kato-redis"
"""Prometheus' names of what is scraped."""


class Unit(StrEnum):
    """What a number counts, as Grafana calls it."""

    COUNT = "short"
    PER_SECOND = "reqps"
    SECONDS = "s"
    SHARE = "percentunit"
    BYTES = "bytes"


class Severity(StrEnum):
    """What an alert asks for."""

    CRITICAL = "critical"
    """Data or answers are being lost: look now."""
    WARNING = "warning"
    """Look today."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One graph."""

    row: str
    """Heading that it stands under."""
    title: str
    tells: str
    """What a person reads from it."""
    expression: str
    """PromQL."""
    legend: str
    """Name of a line, from its labels."""
    unit: Unit
    threshold: float | None = None
    """Where a line gets red."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alarm: it fires when the expression was above a number for some time."""

    name: str
    expression: str
    """PromQL, without the comparison: it always has a value."""
    above: float
    seconds: int
    """It must have been above for this long."""
    severity: Severity
    summary: str
    cure: str

    @property
    def condition(self) -> str:
        """PromQL that has a value only while it is above."""
        return f"({self.expression}) > {self.above:g}"


def _per_second(metric: str, by: str = "") -> str:
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}[1m]))"


_OF_POOL = 'proxy=~"kato(_canary)?(_panic)?"'
"""HAProxy's backends of requests; WebSockets and requests without a session have their own."""

_IN_FLIGHT = (
    f"sum by (server) (haproxy_server_current_sessions{{{_OF_POOL}}}) "
    f"or {_per_second('kato_lb_request_seconds_sum', 'server')}"
)
_OF_LIMIT = f"({_IN_FLIGHT}) / scalar(max(kato_lb_connection_limit))"
_RETRIES = (
    f"sum(rate(haproxy_backend_retry_warnings_total{{{_OF_POOL}}}[1m]) "
    f"+ rate(haproxy_backend_redispatch_warnings_total{{{_OF_POOL}}}[1m])) "
    f"or {_per_second('kato_lb_retries_total')}"
)
_ALL = _per_second("kato_lb_requests_total")
_SERVER_ERRORS = _per_second('kato_lb_requests_total{code=~"5.."}')
_FAILED = f"({_SERVER_ERRORS} or vector(0)) / ({_ALL} > 0) or vector(0)"
_BUSY = _per_second('kato_lb_requests_total{server="none",code="503"}') + " or vector(0)"
_SUSPECTS = (
    f"{_per_second('kato_lb_lost_update_suspects_total')} "
    f"/ ({_per_second('kato_lb_session_answers_total')} > 0) or vector(0)"
)
_EJECTIONS = "sum by (server) (increase(kato_lb_ejections_total[5m]))"
_REDIS_FULL = "max(redis_memory_used_bytes / (redis_memory_max_bytes > 0)) or vector(0)"
_SERVERS = (
    f'sum(haproxy_server_status{{state="UP",{_OF_POOL}}}) '
    f"or count({_per_second('kato_lb_request_seconds_count', 'server')} > 0)"
)

_SESSIONS, _REQUESTS, _HEALTH, _STORES = "Sessions", "Requests", "Servers", "KATO and Redis"

PANELS: Final = (
    Panel(
        row=_SESSIONS,
        title="Lost updates suspected",
        tells="Share of the sessions' answers that came from another server than less than a "
        "minute before. 0 on a sound stack, a short peak when a server fails or is replaced; "
        "anything that stays means that two servers write the same sessions.",
        expression=_SUSPECTS,
        legend="of the answers",
        unit=Unit.SHARE,
        threshold=0.05,
    ),
    Panel(
        row=_SESSIONS,
        title="Sessions that changed server",
        tells="Sessions a second that another server answers than before. A scale-out moves its "
        "share once; a failure moves the server's own sessions away and back.",
        expression=_per_second("kato_lb_session_moves_total"),
        legend="moves/s",
        unit=Unit.COUNT,
    ),
    Panel(
        row=_SESSIONS,
        title="Sessions per server",
        tells="Sessions of the last ten minutes by the server that answered last. Of "
        "thousands, the hash keeps the largest within a tenth of the mean; few scatter more.",
        expression="sum by (server) (kato_lb_sessions)",
        legend="{{server}}",
        unit=Unit.COUNT,
    ),
    Panel(
        row=_REQUESTS,
        title="Requests per server",
        tells='Requests a second. Server "none": refused by the balancer itself.',
        expression=_per_second("kato_lb_requests_total", "server"),
        legend="{{server}}",
        unit=Unit.PER_SECOND,
    ),
    Panel(
        row=_REQUESTS,
        title="Requests by status",
        tells='What clients got. "none": the client went away before.',
        expression=_per_second("kato_lb_requests_total", "code"),
        legend="{{code}}",
        unit=Unit.PER_SECOND,
    ),
    Panel(
        row=_REQUESTS,
        title="Failed requests",
        tells="Share of the requests that were answered 5xx.",
        expression=_FAILED,
        legend="5xx",
        unit=Unit.SHARE,
        threshold=0.05,
    ),
    Panel(
        row=_REQUESTS,
        title="Duration, 95 of 100",
        tells="95 of 100 requests were faster, by server. observe-sequence runs for minutes.",
        expression="histogram_quantile(0.95, "
        f"{_per_second('kato_lb_request_seconds_bucket', 'server, le')})",
        legend="{{server}}",
        unit=Unit.SECONDS,
    ),
    Panel(
        row=_REQUESTS,
        title="In flight per server",
        tells="Requests that a server has in hand. HAProxy counts them; for nginx it is the mean "
        "of a minute, from durations times rate, that is without requests that have not ended.",
        expression=_IN_FLIGHT,
        legend="{{server}}",
        unit=Unit.COUNT,
    ),
    Panel(
        row=_REQUESTS,
        title="In flight, of KATO's limit",
        tells="The same as a share of the connections that one KATO process accepts; idle ones "
        "count for KATO too.",
        expression=_OF_LIMIT,
        legend="{{server}}",
        unit=Unit.SHARE,
        threshold=0.8,
    ),
    Panel(
        row=_REQUESTS,
        title="Refused as busy",
        tells="Requests a second that the balancer itself answered 503: more than KATO's "
        "connections can take, or no server to ask. Nothing was done.",
        expression=_BUSY,
        legend="503/s",
        unit=Unit.PER_SECOND,
    ),
    Panel(
        row=_HEALTH,
        title="Servers that serve",
        tells="HAProxy: servers whose checks succeed. nginx: servers that answered in the last "
        "minute, so a server without requests is not counted.",
        expression=_SERVERS,
        legend="servers",
        unit=Unit.COUNT,
    ),
    Panel(
        row=_HEALTH,
        title="Servers put aside",
        tells="Times that a server was put aside within five minutes: nginx after failed "
        "requests, HAProxy after failed checks.",
        expression=_EJECTIONS,
        legend="{{server}}",
        unit=Unit.COUNT,
        threshold=3,
    ),
    Panel(
        row=_HEALTH,
        title="Retries",
        tells="Requests a second that went to another server, or to the same one again, because "
        "nothing had been sent or they may be repeated. HAProxy counts them itself.",
        expression=_RETRIES,
        legend="retries/s",
        unit=Unit.PER_SECOND,
    ),
    Panel(
        row=_HEALTH,
        title="Client connections",
        tells="Connections of clients to the balancer, the idle ones among them.",
        expression='sum(haproxy_frontend_current_sessions{proxy="clients"}) '
        "or sum(kato_lb_connections)",
        legend="connections",
        unit=Unit.COUNT,
    ),
    Panel(
        row=_HEALTH,
        title="Log lines read",
        tells="Lines a second that the exporter got. Far fewer than requests, or none: every "
        "number from the log is too small.",
        expression=_per_second("kato_lb_log_lines_total"),
        legend="lines/s",
        unit=Unit.PER_SECOND,
    ),
    Panel(
        row=_STORES,
        title="KATO answers Prometheus",
        tells="1 while a replica gives its figures (/metrics-prom, from KATO 3.10.2 on).",
        expression=f'min by (server) (up{{job="{KATO_JOB}"}})',
        legend="{{server}}",
        unit=Unit.COUNT,
    ),
    Panel(
        row=_STORES,
        title="Redis memory",
        tells="Share of its memory that Redis uses. When it is full, KATO's writes fail.",
        expression=_REDIS_FULL,
        legend="of its memory",
        unit=Unit.SHARE,
        threshold=0.9,
    ),
    Panel(
        row=_STORES,
        title="Redis commands",
        tells="Commands a second: the sessions that KATO reads and writes.",
        expression="max(rate(redis_commands_processed_total[1m]))",
        legend="commands/s",
        unit=Unit.PER_SECOND,
    ),
)

ALERTS: Final = (
    Alert(
        name="KatoLostUpdatesSuspected",
        expression=_SUSPECTS,
        above=0.05,
        seconds=120,
        severity=Severity.CRITICAL,
        summary="Two servers answer the same sessions: acknowledged observations are being lost.",
        cure="Look for a balancer without session affinity, for a second balancer with other "
        "servers, or for clients that reach KATO around it; 'kato-lb verify' shows whether "
        "updates are lost. While servers are being replaced one after another it may be they.",
    ),
    Alert(
        name="KatoRequestsFail",
        expression=_FAILED,
        above=0.05,
        seconds=120,
        severity=Severity.CRITICAL,
        summary="More than 5 of 100 requests are answered 5xx.",
        cure="Look at the panel of requests by status: 502 and 504 come from the balancer, for "
        "servers that died or hang; 500 from KATO, often because a store does not answer.",
    ),
    Alert(
        name="KatoBusy",
        expression=_BUSY,
        above=0,
        seconds=300,
        severity=Severity.WARNING,
        summary="The balancer refuses requests: KATO's connections are used up, or no server is "
        "there.",
        cure="Look whether every server serves. If so, run more replicas, or raise "
        "KATO_LIMIT_CONCURRENCY and process.connectionLimit together.",
    ),
    Alert(
        name="KatoServerNearItsLimit",
        expression=f"max({_OF_LIMIT}) or vector(0)",
        above=0.8,
        seconds=60,
        severity=Severity.WARNING,
        summary="A server has more than 80 of 100 of the requests that it can take.",
        cure="Run more replicas. One server alone: few sessions make most of the load.",
    ),
    Alert(
        name="KatoServerComesAndGoes",
        expression=f"max({_EJECTIONS})",
        above=3,
        seconds=60,
        severity=Severity.WARNING,
        summary="A server was put aside more than three times within five minutes.",
        cure="Look at that server's log and memory: it dies or hangs again and again, and each "
        "time its sessions move.",
    ),
    Alert(
        name="KatoLogUnread",
        expression=f'1 - (min(up{{job="{EXPORTER_JOB}"}}) or vector(0))',
        above=0,
        seconds=120,
        severity=Severity.WARNING,
        summary="The exporter of the balancer's log does not answer: the figures stand still.",
        cure="Start the exporter again; the balancer needs no restart.",
    ),
    Alert(
        name="KatoLogNotUnderstood",
        expression=_per_second("kato_lb_unreadable_lines_total"),
        above=0,
        seconds=300,
        severity=Severity.WARNING,
        summary="The exporter gets lines that are no access log of this project's balancers.",
        cure="Use an exporter of the release that rendered the balancer's configuration.",
    ),
    Alert(
        name="KatoRedisNearlyFull",
        expression=_REDIS_FULL,
        above=0.9,
        seconds=300,
        severity=Severity.CRITICAL,
        summary="Redis uses more than 90 of 100 of its memory; full, it refuses KATO's writes.",
        cure="Raise redis.memoryMegabytes, or lower the sessions' life (process.sessionTtl).",
    ),
)
