"""Model → nginx configuration, for a given nginx version.

What a version can't do is refused (UnsupportedFeature), never left out.
"""

import ipaddress
import math
from collections.abc import Iterator

from kato_balancing import headers, invariants, kato
from kato_balancing.fields import Affinity, Balancing
from kato_balancing.model import Balancer, Server
from kato_balancing.nginx_syntax import Directive, block, directive, text
from kato_balancing.targets import Feature, UnsupportedFeature, Version, show

OLDEST: Version = (1, 22, 0)
"""Oldest nginx that is rendered for."""

RESOLVE = Feature("looking a server's name up again while running", (1, 27, 3))
KEEP_ALIVE_MINIMUM = Feature("keeping idle clients during a reload", (1, 27, 4))

RING_WEIGHT = 10
"""nginx puts 160 points on its ring per unit of weight; ten units a server bring the fullest
of 3 to 10 servers from up to 1.20 down to 1.07 of the mean."""

HEALTH_PATH = "/lb/health"
STATUS_PATH = "/lb/status"

_POOL, _SPREAD, _BACKUP = "kato", "kato_spread", "kato_backup"
_SCRATCH = "/tmp"  # noqa: S108 - the one writable folder of a container with a read-only root


def render(balancer: Balancer, version: Version) -> str:
    """The configuration file for this balancer on nginx ``version``.

    Raises UnsupportedFeature with the setting's path and the version or way that can.
    """
    _refuse(balancer, version)
    return text(
        [
            directive(
                "worker_processes",
                balancer.limits.workers,
                comment=f"KATO behind nginx {show(version)}. Rendered; edit the settings instead.",
            ),
            directive("worker_shutdown_timeout", _seconds(balancer.drain.seconds)),
            directive("pid", f"{_SCRATCH}/nginx.pid"),
            directive("error_log", "/dev/stderr", "warn"),
            block(
                "events", inside=[directive("worker_connections", _worker_connections(balancer))]
            ),
            block("http", inside=_http(balancer, version)),
        ]
    )


def _refuse(balancer: Balancer, version: Version) -> None:
    if version < OLDEST:
        raise UnsupportedFeature(
            "version", f"nginx {show(version)} is not supported; use {show(OLDEST)} or newer"
        )
    if balancer.resolver is not None and version < RESOLVE.since:
        raise UnsupportedFeature(
            "resolver",
            f"nginx {show(version)} looks names up only when it starts; use "
            f"{show(RESOLVE.since)} or newer, or leave resolver out and give addresses",
        )
    if balancer.drain.keep_alive is not None and version < KEEP_ALIVE_MINIMUM.since:
        raise UnsupportedFeature(
            "drain.keep_alive",
            f"nginx {show(version)} cuts idle clients at a reload; use "
            f"{show(KEEP_ALIVE_MINIMUM.since)} or newer, or leave it out",
        )
    unsupported = {
        "affinity": balancer.affinity in (Affinity.CLIENT_IP, Affinity.COOKIE),
        "learned": balancer.learned is not None,
        "canary": balancer.canary is not None,
        "tls": balancer.tls is not None,
        "pool.discovery": balancer.pool.discovery is not None,
        "listener.trusted_proxies": bool(balancer.listener.trusted_proxies),
    }
    for path, asked in unsupported.items():
        if asked:
            raise UnsupportedFeature(path, "is not rendered for nginx yet; leave it out")
    if balancer.health.active is not None:
        raise UnsupportedFeature(
            "health.active",
            "nginx's open-source edition does not probe servers; leave it out (failures seen "
            "while serving count, see health.passive) or use HAProxy",
        )


def _worker_connections(balancer: Balancer) -> int:
    """A request holds one connection to the client and one to a server; the rest are idle."""
    per_worker = 2 * (_requests(balancer) + balancer.limits.websockets)
    return max(1024, 2 * per_worker)


def _requests(balancer: Balancer) -> int:
    return balancer.limits.requests or invariants.request_budget(balancer)


def _http(balancer: Balancer, version: Version) -> Iterator[Directive]:
    yield directive("server_tokens", "off")
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        yield directive(f"{kind}_temp_path", f"{_SCRATCH}/{kind}")
    yield directive("client_max_body_size", f"{balancer.limits.body_megabytes}m")
    yield directive("keepalive_timeout", _seconds(balancer.timeouts.client_idle))
    if version >= KEEP_ALIVE_MINIMUM.since:
        yield directive("keepalive_min_timeout", _seconds(balancer.drain.keep_clients))
    if balancer.resolver is not None:
        address = _bracketed(balancer.resolver.address)
        valid = f"valid={_whole_seconds(balancer.resolver.valid)}"
        yield directive("resolver", address, valid, "ipv6=off")
        yield directive("resolver_timeout", _seconds(balancer.resolver.timeout))
    yield from _maps(balancer)
    yield from _log(balancer)
    yield directive(
        "limit_conn_zone", "$server_port", "zone=kato_requests:64k",
        comment="More than KATO's connections can take is refused, not sent to another owner.",
    )  # fmt: skip
    yield directive("limit_conn_zone", "$server_port", "zone=kato_websockets:64k")
    yield directive("limit_conn_status", 503)
    yield from _upstreams(balancer)
    yield _public_server(balancer)
    yield _private_server(balancer)


def _map(source: str, target: str, *entries: tuple[str, str], comment: str = "") -> Directive:
    inside = [directive(value, result) for value, result in entries]
    return block("map", source, target, inside=inside, comment=comment)


def _maps(balancer: Balancer) -> Iterator[Directive]:
    words = "|".join(kato.RESERVED_SESSION_WORDS)
    session = f"~^/sessions/(?!(?:{words})(?:/|$))(?<kato_id>{kato.SESSION_ID_CLASS})(?:/|$)"
    yield _map(
        "$uri", "$kato_session_path",
        (session, "$kato_id"),
        ("default", ""),
        comment="The session of a request: from the decoded path without its query, else from the\n"
        "header. The client's header itself is passed on untouched.",
    )  # fmt: skip
    header = "$http_" + headers.SESSION_HEADER.lower().replace("-", "_")
    yield _map(
        "$kato_session_path", "$kato_session", ("", header), ("default", "$kato_session_path")
    )
    yield _map(
        "$http_host", "$kato_host",
        ("~^[A-Za-z0-9._:\\[\\]-]{1,255}$", "$http_host"),
        ("default", "$host"),
        comment="KATO builds redirects from the Host header: keep the client's port.",
    )  # fmt: skip
    if balancer.private_paths:
        paths = "|".join(path.rstrip("/").replace(".", "\\.") for path in balancer.private_paths)
        yield _map(
            "$uri", "$kato_private", (f"~^(?:{paths})(?:/|$)", "1"), ("default", "0"),
            comment="Paths that say more than a client should know.",
        )  # fmt: skip
    if invariants.spreads_apart(balancer):
        yield _map("$kato_session", "$kato_pool", ("", _SPREAD), ("default", _POOL))
    if _has_backup_pool(balancer):
        yield _map(
            "$upstream_bytes_sent", "$kato_sent", ("~[1-9]", "1"), ("default", "0"),
            comment="1 once anything was sent to a server: a POST is then never repeated.",
        )  # fmt: skip
        yield _map(
            "$request_method",
            "$kato_idempotent",
            ("~^(?:GET|HEAD|OPTIONS)$", "1"),
            ("default", "0"),
        )
        yield _map("$kato_idempotent$kato_sent", "$kato_final", ("01", "1"), ("default", "0"))
    if balancer.reveal_servers:
        asked = "$http_" + headers.REVEAL_REQUEST_HEADER.lower().replace("-", "_")
        yield _map(
            asked, "$kato_reveal",
            (headers.REVEAL_REQUEST_VALUE, "$upstream_addr"), ("default", ""),
        )  # fmt: skip


_LOG_FIELDS = {
    "time": "$time_iso8601",
    "request_id": "$request_id",
    "client": "$remote_addr",
    "method": "$request_method",
    "path": "$uri",
    "status": "$status",
    "bytes": "$body_bytes_sent",
    "seconds": "$request_time",
    "session": "$kato_session",
    "upstream": "$upstream_addr",
    "upstream_status": "$upstream_status",
    "upstream_seconds": "$upstream_response_time",
}
"""Fields of the access log; lists when several servers were tried, as nginx writes them."""


def _log(balancer: Balancer) -> Iterator[Directive]:
    if not balancer.access_log:
        yield directive("access_log", "off")
        return
    fields = ",".join(f'"{name}":"{value}"' for name, value in _LOG_FIELDS.items())
    yield directive("log_format", "kato", "escape=json", "{" + fields + "}")
    yield directive("access_log", "/dev/stdout", "kato")


def _upstreams(balancer: Balancer) -> Iterator[Directive]:
    pool = balancer.pool
    primaries = [s for s in pool.servers if not s.backup]
    if balancer.affinity is Affinity.SESSION:
        yield _upstream(
            balancer, _POOL, [directive("hash", "$kato_session", "consistent")], primaries
        )
        if invariants.spreads_apart(balancer):
            yield _upstream(balancer, _SPREAD, [directive("least_conn")], primaries)
        if pool.backups:
            # A hash upstream takes no "backup" server.
            yield _upstream(
                balancer, _BACKUP, [directive("hash", "$kato_session", "consistent")], pool.backups
            )
        return
    method = [directive("least_conn")] if balancer.balancing is Balancing.LEAST_CONNECTIONS else []
    yield _upstream(balancer, _POOL, method, pool.servers)


def _upstream(
    balancer: Balancer,
    name: str,
    method: list[Directive],
    servers: "list[Server] | tuple[Server, ...]",
) -> Directive:
    inside = [directive("zone", name, "1m"), *method]
    inside += [_server(balancer, server, in_backup_pool=name == _BACKUP) for server in servers]
    inside += [
        directive("keepalive", balancer.keep_alive.connections),
        directive("keepalive_timeout", _seconds(balancer.keep_alive.idle)),
    ]
    return block("upstream", name, inside=inside)


def _server(balancer: Balancer, server: Server, *, in_backup_pool: bool) -> Directive:
    weight = server.weight * (RING_WEIGHT if balancer.affinity is Affinity.SESSION else 1)
    passive = balancer.health.passive
    arguments = [
        f"{_bracketed(server.host)}:{server.port}",
        f"weight={weight}",
        f"max_fails={passive.failures}",
        f"fail_timeout={_whole_seconds(passive.window)}",
    ]
    if server.draining:
        arguments.append("down")
    elif server.backup and not in_backup_pool:
        arguments.append("backup")
    if balancer.resolver is not None and not _is_address(server.host):
        arguments.append("resolve")
    return directive("server", *arguments)


def _has_backup_pool(balancer: Balancer) -> bool:
    return balancer.affinity is Affinity.SESSION and bool(balancer.pool.backups)


def _public_server(balancer: Balancer) -> Directive:
    timeouts, retry = balancer.timeouts, balancer.retry
    # With backup servers every primary is tried before them, within the same time.
    tries = max(retry.tries, len(balancer.pool.primaries)) if balancer.pool.backups else retry.tries
    target = "$kato_pool" if invariants.spreads_apart(balancer) else _POOL
    inside = [
        directive("listen", balancer.listener.port, "default_server"),
        directive("server_name", "_"),
        directive("default_type", "application/json"),
        directive("proxy_http_version", "1.1"),
        directive("proxy_set_header", "Connection", ""),
        *_forwarded_headers(),
        directive("proxy_connect_timeout", _seconds(timeouts.connect)),
        directive("proxy_send_timeout", _seconds(timeouts.send)),
        directive("proxy_read_timeout", _seconds(timeouts.read)),
        directive(
            "proxy_next_upstream", "error", "timeout",
            comment="Another server only when nothing was sent, or the request is idempotent.",
        ),
        directive("proxy_next_upstream_tries", tries),
        directive("proxy_next_upstream_timeout", _seconds(retry.window)),
    ]  # fmt: skip
    if balancer.reveal_servers:
        inside.append(
            directive("add_header", headers.REVEAL_RESPONSE_HEADER, "$kato_reveal", "always")
        )
    inside.append(directive("error_page", 503, "@busy"))
    if _has_backup_pool(balancer):
        inside.append(directive("error_page", 502, 504, "@backup"))
    inside.append(
        block(
            "location", "/",
            inside=[
                directive("limit_conn", "kato_requests", _requests(balancer)),
                directive("proxy_pass", f"http://{target}"),
            ],
        )
    )  # fmt: skip
    if _has_backup_pool(balancer):
        inside.append(_backup_location(balancer))
    if balancer.private_paths:
        hidden = [directive("return", 404, '{"detail":"Not Found"}')]
        inside.append(block("if", "($kato_private)", inside=hidden))
    inside += [_websocket_location(balancer, target), _busy_location()]
    return block("server", inside=inside, comment="Clients.")


def _forwarded_headers() -> list[Directive]:
    values = {
        "Host": "$kato_host",
        "X-Request-ID": "$request_id",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Host": "$kato_host",
        "X-Forwarded-Proto": "$scheme",
    }
    return [directive("proxy_set_header", name, value) for name, value in values.items()]


def _websocket_location(balancer: Balancer, target: str) -> Directive:
    if balancer.limits.websockets == 0:
        off = [directive("return", 404, '{"detail":"WebSockets are off"}')]
        return block("location", "=", kato.WEBSOCKET_PATH, inside=off)
    return block(
        "location", "=", kato.WEBSOCKET_PATH,
        inside=[
            directive("limit_conn", "kato_websockets", balancer.limits.websockets),
            directive("proxy_pass", f"http://{target}"),
            # A location with a proxy_set_header of its own inherits none.
            directive("proxy_set_header", "Connection", "upgrade"),
            directive("proxy_set_header", "Upgrade", "$http_upgrade"),
            *_forwarded_headers(),
            directive("proxy_buffering", "off"),
            directive("proxy_send_timeout", _seconds(balancer.timeouts.websocket)),
            directive("proxy_read_timeout", _seconds(balancer.timeouts.websocket)),
        ],
    )  # fmt: skip


def _backup_location(balancer: Balancer) -> Directive:
    return block(
        "location", "@backup",
        inside=[
            block("if", "($kato_final)", inside=[directive("return", 502)]),
            directive("limit_conn", "kato_requests", _requests(balancer)),
            directive("proxy_pass", f"http://{_BACKUP}"),
        ],
    )  # fmt: skip


def _busy_location() -> Directive:
    return block(
        "location", "@busy",
        inside=[
            directive("internal"),
            directive("add_header", "Retry-After", "1", "always"),
            directive("return", 503, '{"detail":"KATO is busy; nothing was done"}'),
        ],
    )  # fmt: skip


def _private_server(balancer: Balancer) -> Directive:
    return block(
        "server",
        inside=[
            directive("listen", balancer.listener.private_port),
            directive("server_name", "_"),
            directive("access_log", "off"),
            block(
                "location", "=", HEALTH_PATH,
                inside=[directive("default_type", "text/plain"), directive("return", 200, "ok")],
            ),
            block("location", "=", STATUS_PATH, inside=[directive("stub_status")]),
            block("location", "/", inside=[directive("return", 404)]),
        ],
        comment="Operators: health and status of nginx itself. Not published.",
    )  # fmt: skip


def _seconds(value: float) -> str:
    if float(value).is_integer():
        return f"{value:g}s"
    return f"{max(1, round(value * 1000))}ms"


def _whole_seconds(value: float) -> str:
    """For the few times that nginx reads in seconds only: rounded up."""
    return f"{math.ceil(value)}s"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
