"""Model → nginx configuration, for a given nginx version.

What a version can't do is refused (UnsupportedFeature), never left out.
"""

from collections.abc import Iterator

from kato_balancing import (
    chosen,
    headers,
    invariants,
    kato,
    nginx_fallbacks,
    nginx_pools,
    nginx_refusals,
    nginx_regions,
)
from kato_balancing.hosts import bracketed
from kato_balancing.model import Balancer
from kato_balancing.nginx_pools import seconds, whole_seconds
from kato_balancing.nginx_syntax import Directive, block, directive, mapping, request_header, text
from kato_balancing.targets import Version, show

OLDEST = nginx_refusals.OLDEST

HEALTH_PATH = "/lb/health"
STATUS_PATH = "/lb/status"

_CIPHERS = tuple(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""Forward secret and authenticated; what TLS 1.2 clients of the last ten years have."""

_PRIVATE_NETWORKS = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1",
    "fc00::/7",
)

_SCRATCH = "/tmp"  # noqa: S108 - the one writable folder of a container with a read-only root


def render(balancer: Balancer, version: Version) -> str:
    """The configuration file for this balancer on nginx ``version``.

    Raises UnsupportedFeature with the setting's path and the version or way that can.
    """
    nginx_refusals.refuse(balancer, version)
    return text(
        [
            directive(
                "worker_processes",
                balancer.limits.workers,
                comment=f"KATO behind nginx {show(version)}. Rendered; edit the settings instead.",
            ),
            directive("worker_shutdown_timeout", seconds(balancer.drain.seconds)),
            directive("worker_rlimit_nofile", 2 * _worker_connections(balancer)),
            directive("pcre_jit", "on"),
            directive("pid", f"{_SCRATCH}/nginx.pid"),
            directive("error_log", "/dev/stderr", "warn"),
            *_error_log_copy(balancer),
            block(
                "events", inside=[directive("worker_connections", _worker_connections(balancer))]
            ),
            block("http", inside=_http(balancer, version)),
        ]
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
    yield directive("keepalive_timeout", seconds(balancer.timeouts.client_idle))
    if version >= nginx_refusals.KEEP_ALIVE_MINIMUM.since:
        yield directive("keepalive_min_timeout", seconds(balancer.drain.keep_clients))
    if balancer.resolver is not None and balancer.resolver.address is not None:
        address = bracketed(balancer.resolver.address)
        valid = f"valid={whole_seconds(balancer.resolver.valid)}"
        yield directive("resolver", address, valid, "ipv6=off")
        yield directive("resolver_timeout", seconds(balancer.resolver.timeout))
    yield from _client_address(balancer)
    yield from _maps(balancer)
    yield from _log(balancer)
    yield directive(
        "limit_conn_zone", "$server_port", "zone=kato_requests:64k",
        comment="More than KATO's connections can take is refused, not sent to another owner.",
    )  # fmt: skip
    yield directive("limit_conn_zone", "$server_port", "zone=kato_websockets:64k")
    yield directive("limit_conn_status", 503)
    yield from nginx_pools.upstreams(balancer)
    yield from nginx_regions.upstreams(balancer)
    yield _public_server(balancer)
    yield _private_server(balancer)


def _client_address(balancer: Balancer) -> Iterator[Directive]:
    for network in balancer.listener.trusted_proxies:
        yield directive("set_real_ip_from", network)
    if balancer.listener.trusted_proxies:
        yield directive("real_ip_header", "X-Forwarded-For")
        yield directive("real_ip_recursive", "on")


def _maps(balancer: Balancer) -> Iterator[Directive]:
    words = "|".join(kato.RESERVED_SESSION_WORDS)
    session = f"~^/sessions/(?!(?:{words})(?:/|$))(?<kato_id>{kato.SESSION_ID_CLASS})(?:/|$)"
    yield mapping(
        "$uri", "$kato_session_path", (session, "$kato_id"), ("default", ""),
        comment="The session of a request: from the decoded path without its query, else from the\n"
        "header. The client's header itself is passed on untouched.",
    )  # fmt: skip
    header = request_header(headers.SESSION_HEADER)
    yield mapping(
        "$kato_session_path", "$kato_session", ("", header), ("default", "$kato_session_path")
    )
    if balancer.learned is not None:
        yield mapping(
            "$kato_session_path", nginx_pools.LEARNED,
            ("", ""), ("default", "$upstream_" + header.removeprefix("$")),
            comment="Learned on session paths only: elsewhere KATO echoes what the client sent.",
        )  # fmt: skip
    yield mapping(
        "$http_host", "$kato_host",
        ("~^[A-Za-z0-9._:\\[\\]-]{1,255}$", "$http_host"),
        ("default", "$host"),
        comment="KATO builds redirects from the Host header: keep the client's port.",
    )  # fmt: skip
    if balancer.private_paths:
        paths = "|".join(path.rstrip("/").replace(".", "\\.") for path in balancer.private_paths)
        yield mapping(
            "$uri", "$kato_private", (f"~^(?:{paths})(?:/|$)", "1"), ("default", "0"),
            comment="Paths that say more than a client should know.",
        )  # fmt: skip
    if balancer.listener.trusted_proxies:
        trusted = [directive(network, "1") for network in balancer.listener.trusted_proxies]
        inside = [directive("default", "0"), *trusted]
        yield block("geo", "$realip_remote_addr", "$kato_trusted", inside=inside)
        yield mapping(
            "$kato_trusted:$http_x_forwarded_proto", "$kato_scheme",
            ("1:https", "https"), ("1:http", "http"), ("default", "$scheme"),
        )  # fmt: skip
    yield from nginx_regions.maps(balancer)
    yield from nginx_pools.choices(balancer)
    yield from nginx_fallbacks.maps(balancer)
    if balancer.reveal_servers:
        yield mapping(
            request_header(headers.REVEAL_REQUEST_HEADER), "$kato_reveal",
            (headers.REVEAL_REQUEST_VALUE, "$upstream_addr"), ("default", ""),
        )  # fmt: skip


_LOG_FIELDS = {
    "time": "$time_iso8601",
    "client": "$remote_addr",
    "method": "$request_method",
    "path": "$uri",
    "status": "$status",
    "seconds": "$request_time",
    "session": "$kato_session",
    "upstream": "$upstream_addr",
    "upstream_status": "$upstream_status",
}
"""Fields of the access log; lists when several servers were tried, as nginx writes them.

No more than what tells who served which session, how and how fast: with three fields more, a
balancer on two cores answered a tenth fewer requests.
"""


_LOG_BUFFER = "4k"
"""Lines are written together, at the latest after a second; no more than a pipe takes at once, so
that two workers' lines never mix."""


def _log(balancer: Balancer) -> Iterator[Directive]:
    if not balancer.access_log and balancer.log_socket is None:
        yield directive("access_log", "off")
        return
    fields = ",".join(f'"{name}":"{value}"' for name, value in _LOG_FIELDS.items())
    yield directive("log_format", "kato", "escape=json", "{" + fields + "}")
    if balancer.access_log:
        yield directive("access_log", "/dev/stdout", "kato", f"buffer={_LOG_BUFFER}", "flush=1s")
    if balancer.log_socket is not None:
        yield directive("access_log", _receiver(balancer.log_socket), "kato")


def _error_log_copy(balancer: Balancer) -> Iterator[Directive]:
    if balancer.log_socket is not None:
        yield directive("error_log", _receiver(balancer.log_socket), "warn")


def _receiver(socket: str) -> str:
    return f"syslog:server=unix:{socket},nohostname"


def _public_server(balancer: Balancer) -> Directive:
    timeouts, retry = balancer.timeouts, balancer.retry
    # With backup servers every primary is tried before them, within the same time.
    tries = max(retry.tries, len(balancer.pool.primaries)) if balancer.pool.backups else retry.tries
    target = nginx_pools.target(balancer)
    inside = [
        *_listen(balancer),
        directive("server_name", "_"),
        directive("default_type", "application/json"),
        directive("proxy_http_version", "1.1"),
        directive("proxy_set_header", "Connection", ""),
        *_forwarded_headers(balancer),
        directive("proxy_connect_timeout", seconds(timeouts.connect)),
        directive("proxy_send_timeout", seconds(timeouts.send)),
        directive("proxy_read_timeout", seconds(timeouts.read)),
        directive(
            "proxy_next_upstream", "error", "timeout",
            comment="Another server only when nothing was sent, or the request is idempotent.",
        ),
        directive("proxy_next_upstream_tries", tries),
        directive("proxy_next_upstream_timeout", seconds(retry.window)),
    ]  # fmt: skip
    inside += _response_headers(balancer)
    busy = directive("error_page", 503, "@busy")
    inside.append(busy)
    inside += nginx_fallbacks.for_all(balancer)
    inside.append(
        block(
            "location", "/",
            comment=chosen.routes(balancer, nginx_pools.PROGRAM),
            inside=[
                directive("limit_conn", "kato_requests", _requests(balancer)),
                *nginx_fallbacks.for_plain_requests(balancer, busy),
                directive("proxy_pass", f"http://{target}"),
            ],
        )
    )  # fmt: skip
    inside += nginx_fallbacks.locations(balancer, target, _requests(balancer))
    if balancer.private_paths:
        hidden = [directive("return", 404, '{"detail":"Not Found"}')]
        inside.append(block("if", "($kato_private)", inside=hidden))
    inside += nginx_regions.answers(balancer)
    inside += nginx_regions.location(balancer, _requests(balancer), _forwarded_headers(balancer))
    inside += [_websocket_location(balancer, target), _busy_location(balancer)]
    return block("server", inside=inside, comment="Clients.")


def _response_headers(balancer: Balancer) -> Iterator[Directive]:
    if balancer.tls is not None:
        name, value = "Strict-Transport-Security", "max-age=31536000"
        yield directive("add_header", name, value, "always")
    if balancer.reveal_servers:
        yield directive("add_header", headers.REVEAL_RESPONSE_HEADER, "$kato_reveal", "always")


def _listen(balancer: Balancer) -> list[Directive]:
    if balancer.tls is None:
        return [directive("listen", balancer.listener.port, "default_server")]
    return [
        directive("listen", balancer.listener.port, "ssl", "default_server"),
        directive("ssl_certificate", balancer.tls.certificate),
        directive("ssl_certificate_key", balancer.tls.key),
        directive("ssl_protocols", "TLSv1.2", "TLSv1.3"),
        directive("ssl_ciphers", ":".join(_CIPHERS)),
        directive("ssl_session_cache", "shared:kato_tls:10m"),
        directive("ssl_session_timeout", "1d"),
        directive("ssl_session_tickets", "off"),
    ]


def _forwarded_headers(balancer: Balancer) -> list[Directive]:
    values = {
        "Host": "$kato_host",
        "X-Request-ID": "$request_id",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Host": "$kato_host",
        "X-Forwarded-Proto": "$kato_scheme" if balancer.listener.trusted_proxies else "$scheme",
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
            *_forwarded_headers(balancer),
            directive("proxy_send_timeout", seconds(balancer.timeouts.websocket)),
            directive("proxy_read_timeout", seconds(balancer.timeouts.websocket)),
        ],
    )  # fmt: skip


def _busy_location(balancer: Balancer) -> Directive:
    return block(
        "location", "@busy",
        inside=[
            directive("internal"),
            # A location with an add_header of its own inherits none.
            *_response_headers(balancer),
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
            block(
                "location", "=", STATUS_PATH,
                inside=[
                    directive("stub_status"),
                    *(directive("allow", network) for network in _PRIVATE_NETWORKS),
                    directive("deny", "all"),
                ],
            ),
            block("location", "/", inside=[directive("return", 404)]),
        ],
        comment="Operators: health and status of nginx itself. Not published.",
    )  # fmt: skip
