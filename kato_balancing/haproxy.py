"""Model → HAProxy configuration, for a given HAProxy version.

What a version can't do is refused (UnsupportedFeature), never left out. Where HAProxy's way
differs from nginx's:

- Requests above ``limits.requests`` wait at their server for up to ``retry.window``, then 503.
- Servers are always probed: ``health.active`` None stands for its defaults.
- A draining server is ``disabled``: it gets nothing new, also of the sessions that a table or a
  cookie ties to it, and what is in flight ends. No other server's sessions move.
- While all servers look dead, all are asked (nginx does so by itself); KATO is likelier to be slow
  to answer its checks than gone from every server at once.
- At a reload, idle clients are kept until their next answer, for up to ``drain.seconds``, which
  must cover ``drain.keep_alive``.
- The body limit is checked on the length that a request states; a chunked body states none and is
  passed on as it comes.
"""

from collections.abc import Iterator

from kato_balancing import (
    chosen,
    haproxy_pools,
    haproxy_refusals,
    haproxy_regions,
    headers,
    invariants,
    kato,
)
from kato_balancing.fields import Affinity
from kato_balancing.haproxy_pools import SESSION, milliseconds
from kato_balancing.haproxy_refusals import requests
from kato_balancing.haproxy_syntax import Line, Section, line, section, text
from kato_balancing.hosts import bracketed
from kato_balancing.model import Balancer, Canary, Tls
from kato_balancing.targets import UnsupportedFeature, Version, show

OLDEST = haproxy_refusals.OLDEST

HEALTH_PATH = "/lb/health"
STATUS_PATH = "/lb/status"
METRICS_PATH = "/lb/metrics"

RUNTIME_SOCKET = "/tmp/haproxy.sock"  # noqa: S108 - inside the container, for its operator
PEER_SOCKET = "/tmp/haproxy-peer.sock"  # noqa: S108 - between this HAProxy and its successor

_NAME = "kato"
_PATH = "txn.kato_path"
_SHARE = "txn.kato_share"
_BIRTH = "txn.kato_birth"
_FORWARDERS = 5
"""Trusted proxies in a row that are believed."""
_HEADER_SECONDS = 10.0
"""A client has this long to send a request's head."""
_MEGABYTE = 1024 * 1024
_JSON = ("content-type", "application/json")
_HIDDEN = '{"detail":"Not Found"}'


def render(balancer: Balancer, version: Version) -> str:
    """The configuration file for this balancer on HAProxy ``version``.

    Raises UnsupportedFeature with the setting's path and the version or way that can.
    """
    haproxy_refusals.refuse(balancer, version)
    return text(
        [
            _global(balancer, version),
            _defaults(balancer),
            *_resolvers(balancer),
            *_peers(balancer),
            *_store(balancer),
            _clients(balancer),
            _operators(balancer),
            *(
                haproxy_pools.render(balancer, backend, version)
                for backend in haproxy_pools.backends(balancer)
            ),
            *haproxy_regions.backends(balancer, version),
        ]
    )


def refusals(balancer: Balancer, version: Version) -> list[UnsupportedFeature]:
    """Every setting that HAProxy ``version`` can't do, where render stops at the first."""
    return haproxy_refusals.everything(balancer, version)


def _global(balancer: Balancer, version: Version) -> Section:
    lines = [
        line("log", "stderr", "format", "raw", "local0", "notice"),
        line("stats", "socket", RUNTIME_SOCKET, "mode", 600, "level", "admin"),
        line("nbthread", balancer.limits.workers),
        line("maxconn", _client_connections(balancer)),
        # No close-spread-time: it closes idle clients without the notice that
        # idle-close-on-response gives; 7 to 14 requests met it in six reloads.
        line("hard-stop-after", milliseconds(balancer.drain.seconds)),
    ]  # fmt: skip
    if balancer.log_socket is not None:
        lines.insert(1, _copied(balancer.log_socket, "notice"))
    if balancer.learned is not None:
        lines.append(line("localpeer", _NAME))
    if balancer.tls is not None:
        lines += [
            line("ssl-default-bind-options", "ssl-min-ver", "TLSv1.2", "no-tls-tickets"),
            *([line("ssl-load-extra-del-ext")] if _beside_without_extension(balancer.tls) else []),
        ]
    return section(
        "global",
        inside=lines,
        comment=f"KATO behind HAProxy {show(version)}. Rendered; edit the settings instead.",
    )


def _client_connections(balancer: Balancer) -> int:
    """Clients keep idle connections too: four for each that works."""
    return max(2048, 4 * (requests(balancer) + balancer.limits.websockets))


def _defaults(balancer: Balancer) -> Section:
    timeouts = balancer.timeouts
    busy = '{"detail":"No server of KATO was free to take the request; nothing was done"}'
    errors = {
        400: '{"detail":"Bad request"}',
        408: '{"detail":"The request came too slowly"}',
        500: '{"detail":"The balancer failed"}',
        502: '{"detail":"The server gave no valid answer"}',
        504: '{"detail":"The server did not answer in time"}',
    }
    return section(
        "defaults",
        inside=[
            line("mode", "http"),
            line("option", "idle-close-on-response"),
            line("option", "dontlognull"),
            line("timeout", "connect", milliseconds(timeouts.connect)),
            line("timeout", "client", milliseconds(timeouts.read + 5)),
            line("timeout", "server", milliseconds(timeouts.read)),
            line("timeout", "http-request", milliseconds(_HEADER_SECONDS)),
            line("timeout", "http-keep-alive", milliseconds(timeouts.client_idle)),
            line("timeout", "queue", milliseconds(balancer.retry.window)),
            line("timeout", "check", milliseconds(_probe_timeout(balancer))),
            line("timeout", "tunnel", milliseconds(timeouts.websocket)),
            *(
                line("http-error", "status", status, *_JSON, "string", body)
                for status, body in errors.items()
            ),
            line(
                "http-error", "status", 503, *_JSON, "string", busy,
                "hdr", "Retry-After", "1",
            ),
        ],
    )  # fmt: skip


def _probe_timeout(balancer: Balancer) -> float:
    return haproxy_pools.active(balancer).timeout


def _resolvers(balancer: Balancer) -> Iterator[Section]:
    resolver = balancer.resolver
    if resolver is None:
        return
    forget = [] if resolver.forget is None else [milliseconds(resolver.forget)]
    yield section(
        "resolvers", haproxy_pools.RESOLVERS,
        inside=[
            line("parse-resolv-conf")
            if resolver.address is None
            else line("nameserver", "dns", f"{bracketed(resolver.address)}:53"),
            line("accepted_payload_size", 8192),
            line("resolve_retries", 3),
            line("timeout", "resolve", milliseconds(resolver.valid)),
            line("timeout", "retry", milliseconds(resolver.timeout)),
            line("hold", "valid", milliseconds(resolver.valid)),
            *(line("hold", "nx", seconds) for seconds in forget),
        ],
    )  # fmt: skip


def _peers(balancer: Balancer) -> Iterator[Section]:
    if balancer.learned is not None:
        yield section(
            "peers", haproxy_pools.PEERS,
            inside=[line("peer", _NAME, f"unix@{PEER_SOCKET}")],
            comment="The process before a reload hands its table to the one after it.",
        )  # fmt: skip


def _store(balancer: Balancer) -> Iterator[Section]:
    tls = balancer.tls
    if tls is not None and not _beside(tls):
        yield section(
            "crt-store", _NAME,
            inside=[line("load", "crt", tls.certificate, "key", tls.key, "alias", _NAME)],
        )  # fmt: skip


def _beside(tls: Tls) -> bool:
    return tls.key in haproxy_refusals.key_beside_certificate(tls.certificate)


def _beside_without_extension(tls: Tls) -> bool:
    return tls.key in haproxy_refusals.key_beside_certificate(tls.certificate)[2:]


def _clients(balancer: Balancer) -> Section:
    return section(
        "frontend", "clients",
        inside=[
            _bind(balancer),
            *_log(balancer),
            *_trusted(balancer),
            *_request_id(),
            *_session(),
            *_refused(balancer),
            *haproxy_regions.answers(balancer),
            *_forwarded(balancer),
            *_routes(balancer),
        ],
        comment=f"Clients.\n{chosen.routes(balancer, haproxy_pools.PROGRAM)}",
    )  # fmt: skip


def _bind(balancer: Balancer) -> Line:
    tls = balancer.tls
    words: list[object] = ["bind", f":{balancer.listener.port}"]
    if tls is not None:
        words += ["ssl", "crt", tls.certificate if _beside(tls) else f"@{_NAME}/{_NAME}"]
        words += ["alpn", "h2,http/1.1"]
    return line(*words)


LOG_FIELDS = {
    "time": "%[date,utime(%Y-%m-%dT%H:%M:%S+00:00)]",
    "client": "%ci",
    "method": "%HM",
    "path": f"%[var({_PATH}),json(utf8s)]",
    "status": "%ST",
    # HAProxy measures in milliseconds: 12 is written 12e-3.
    "seconds": "%Ta%[str(e-3)]",
    "session": f"%[var({SESSION}),json(utf8s)]",
    "upstream": "%s",
    "upstream_status": "%[var(txn.kato_upstream_status)]",
}
"""Fields of the access log, called as in nginx's. ``upstream`` is the name of the server that was
asked last, ``<NOSRV>`` when none was."""


_LOG_LENGTH = ("len", 8192)


def _log(balancer: Balancer) -> Iterator[Line]:
    if not balancer.access_log and balancer.log_socket is None:
        return
    fields = ",".join(f'"{name}":"{value}"' for name, value in LOG_FIELDS.items())
    if balancer.access_log:
        yield line("log", "stdout", *_LOG_LENGTH, "format", "raw", "local0", "info")
    if balancer.log_socket is not None:
        yield _copied(balancer.log_socket, "info")
    yield line("log-format", "{" + fields + "}")


def _copied(socket: str, level: str) -> Line:
    return line("log", socket, *_LOG_LENGTH, "format", "raw", "local0", level)


def _trusted(balancer: Balancer) -> Iterator[Line]:
    networks = balancer.listener.trusted_proxies
    for network in networks:
        yield line("acl", "kato_forwarder", "src", network)
    if not networks:
        return
    yield line(
        "http-request", "set-var(txn.kato_forwarded)", "bool(true)", "if", "kato_forwarder",
        comment="The client is the last address that no trusted proxy has.",
    )  # fmt: skip
    for hop in range(1, _FORWARDERS + 1):
        yield line(
            "http-request", "set-src", f"req.hdr_ip(x-forwarded-for,-{hop})", "if", "kato_forwarder"
        )


def _request_id() -> Iterator[Line]:
    yield line("unique-id-format", '%[uuid(),regsub("-","",g)]')
    yield line("http-request", "set-header", "X-Request-ID", "%[unique-id]")


def _session() -> Iterator[Line]:
    found = ["{", f"var({SESSION})", "-m"]
    yield line(
        "http-request", f"set-var({_PATH})",
        'path,url_dec,regsub("/+","/",g),regsub("/([.]/)+","/",g)',
        comment="The session of a request: from the decoded path without its query, else from the\n"
        "header. The request itself is passed on untouched.",
    )  # fmt: skip
    yield line(
        "http-request", f"set-var({SESSION})", f"var({_PATH}),field(3,/)",
        "if", "{", f"var({_PATH})", "-m", "beg", "/sessions/", "}",
    )  # fmt: skip
    characters, longest = _session_class()
    yield line(
        "http-request", f"unset-var({SESSION})",
        "if", *found, "str", *kato.RESERVED_SESSION_WORDS, "}",
        "or", "!{", f"var({SESSION})", "-m", "len", f"1:{longest}", "}",
        "or", *found, "reg", f"[^{characters}]", "}",
    )  # fmt: skip
    header = f"req.fhdr({headers.SESSION_HEADER.lower()})"
    yield line(
        "http-request", f"set-var({SESSION})", header,
        "if", "!" + found[0], *found[1:], "found", "}", "{", header, "-m", "len", "1:", "}",
    )  # fmt: skip


def _session_class() -> tuple[str, str]:
    """The characters of a session's id and how many it may have, apart."""
    characters, _, lengths = kato.SESSION_ID_CLASS.partition("]{")
    return characters.removeprefix("["), lengths.rstrip("}").partition(",")[2]


def _refused(balancer: Balancer) -> Iterator[Line]:
    yield line(
        "http-request", "deny", "deny_status", 400,
        "unless", "{", f"var({_PATH})", "-m", "found", "}",
        comment="A path that can't be decoded, or has a fragment, is not what KATO would see.",
    )  # fmt: skip
    yield line("http-request", "deny", "deny_status", 400, "if", "{", "url", "-m", "sub", "#", "}")
    for path in map(haproxy_pools.plain_path, balancer.private_paths):
        if path:
            yield line("acl", "kato_private", f"var({_PATH})", "-m", "str", path)
        yield line("acl", "kato_private", f"var({_PATH})", "-m", "beg", f"{path}/")
    if balancer.private_paths:
        yield _answer(404, _HIDDEN, "if", "kato_private")
    most = balancer.limits.body_megabytes * _MEGABYTE
    yield _answer(
        413, f'{{"detail":"A body may have {balancer.limits.body_megabytes} MB"}}',
        "if", "{", "req.hdr(content-length)", "-m", "int", "gt", most, "}",
    )  # fmt: skip
    yield line("acl", "kato_events", f"var({_PATH})", "-m", "str", kato.WEBSOCKET_PATH)
    if balancer.limits.websockets == 0:
        yield _answer(404, '{"detail":"WebSockets are off"}', "if", "kato_events")
        return
    full = (f"be_conn({haproxy_pools.EVENTS})", "ge", balancer.limits.websockets)
    yield _answer(
        503, '{"detail":"All WebSocket connections are in use"}', "hdr", "Retry-After", "1",
        "if", "kato_events", "{", *full, "}",
    )  # fmt: skip


def _answer(status: int, body: str, *rest: object) -> Line:
    return line(
        "http-request", "return", "status", status, *_JSON, "string", body, *rest
    )  # fmt: skip


def _forwarded(balancer: Balancer) -> Iterator[Line]:
    scheme = "http" if balancer.tls is None else "https"
    values = {
        "X-Real-IP": "%[src]",
        "X-Forwarded-For": "%[src]",
        "X-Forwarded-Host": "%[req.hdr(host)]",
        "X-Forwarded-Proto": scheme,
    }
    for name, value in values.items():
        words: list[object] = ["http-request", "set-header", name, value]
        if balancer.listener.trusted_proxies and name in ("X-Forwarded-Host", "X-Forwarded-Proto"):
            # A trusted proxy knows what its client asked for.
            words += ["unless", "{", "var(txn.kato_forwarded)", "-m", "bool", "}"]
            words += ["{", f"req.hdr({name.lower()})", "-m", "len", "1:", "}"]
        yield line(*words)
    if balancer.reveal_servers:
        yield line(
            "http-request", "set-var(txn.kato_reveal)", "bool(true)", "if",
            "{", f"req.hdr({headers.REVEAL_REQUEST_HEADER.lower()})", "-m", "str",
            headers.REVEAL_REQUEST_VALUE, "}",
        )  # fmt: skip


def _routes(balancer: Balancer) -> Iterator[Line]:
    if balancer.canary is not None:
        by_client = balancer.affinity is Affinity.CLIENT_IP
        share = f"crc32(1),mod({100 * haproxy_pools.SHARES_PER_PERCENT})"
        key = f"src,{share}" if by_client else f"var({SESSION}),{share}"
        yield line(
            "http-request", f"set-var({_SHARE})", key,
            comment="A session's place from 0 to the whole: a larger share keeps what it had.",
        )  # fmt: skip
        yield line(
            "http-request", f"set-var({_SHARE})", f"rand({100 * haproxy_pools.SHARES_PER_PERCENT})",
            "if", "!{", f"var({_SHARE})", "-m", "found", "}",
        )  # fmt: skip
        if balancer.canary.steps:
            yield line(
                "http-request", f"set-var({_BIRTH})", f"var({SESSION}),field(-1,-)",
                comment="The time at the end of its id: which step the session was born into.",
            )  # fmt: skip
    yield from haproxy_regions.routes(balancer)
    if balancer.limits.websockets:
        yield line("use_backend", haproxy_pools.EVENTS, "if", "kato_events")
    if balancer.canary is not None:
        yield from _to_canary(balancer.canary)
    yield _if_nobody_serves(haproxy_pools.POOL)
    if invariants.spreads_apart(balancer):
        yield line(
            "use_backend",
            haproxy_pools.SPREAD,
            "unless",
            "{",
            f"var({SESSION})",
            "-m",
            "found",
            "}",
        )
    yield line("default_backend", haproxy_pools.POOL)


def _to_canary(canary: Canary) -> Iterator[Line]:
    def within(share: float, *more: object) -> Iterator[Line]:
        parts = round(share * haproxy_pools.SHARES_PER_PERCENT)
        chosen = ["{", f"var({_SHARE})", "-m", "int", "lt", parts, "}", *more]
        yield _if_nobody_serves(haproxy_pools.CANARY, *chosen)
        yield line("use_backend", haproxy_pools.CANARY, "if", *chosen)

    if not canary.steps:
        yield from within(canary.share)
        return
    later: list[object] = []
    for step in reversed(canary.steps):
        born = ["{", f"var({_BIRTH})", "-m", "int", "ge", step.since, "}"]
        yield from within(step.share, *born, *later)
        later = ["!{", *born[1:]]
    yield from within(canary.share, "!{", f"var({SESSION})", "-m", "found", "}")


def _if_nobody_serves(backend: str, *condition: object) -> Line:
    return line(
        "use_backend", haproxy_pools.panic(backend), "if",
        *condition, "{", f"nbsrv({backend})", "eq", 0, "}",
    )  # fmt: skip


def _operators(balancer: Balancer) -> Section:
    return section(
        "frontend", "operators",
        inside=[
            line("bind", f":{balancer.listener.private_port}"),
            line(
                "http-request", "return", "status", 200,
                "content-type", "text/plain", "string", "ok",
                "if", "{", "path", HEALTH_PATH, "}",
            ),
            line(
                "http-request", "use-service", "prometheus-exporter",
                "if", "{", "path", METRICS_PATH, "}",
            ),
            line(
                "http-request", "return", "status", 404,
                "unless", "{", "path", "-m", "beg", STATUS_PATH, "}",
            ),
            line("stats", "enable"),
            line("stats", "uri", STATUS_PATH),
            line("stats", "hide-version"),
        ],
        comment="Operators: health, status and figures of HAProxy itself. Not published.",
    )  # fmt: skip
