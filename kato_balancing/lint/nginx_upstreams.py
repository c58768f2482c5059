"""Rules on an upstream's servers, its shared memory and its idle connections."""

from collections.abc import Iterator
from typing import Final

from kato_balancing import kato
from kato_balancing.lint.amounts import nginx_seconds, whole
from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.nginx_routes import only_as_fallback, ways_to
from kato_balancing.lint.nginx_servers import (
    active,
    host,
    is_name,
    parameter,
    servers,
    several,
)
from kato_balancing.lint.nginx_tree import NginxTree, Node
from kato_balancing.lint.nginx_values import map_of, variables
from kato_balancing.lint.rule import Program, Rule, changed

_KEEPALIVE_BY_DEFAULT: Final = (1, 29, 7)
_DEFAULT_IDLE: Final = 60.0
_MOST_CONNECTIONS: Final = kato.CONNECTION_LIMIT - 1 - 8
"""KATO refuses its last connection; eight are left to health checks."""
_FIRST: Final = "server kato-0:8000 resolve weight=64 max_fails=2 fail_timeout=5s;"


def _name_fixed(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        fixed = [
            server
            for server in servers(upstream)
            if is_name(server) and not {"resolve", "down"} & set(server.arguments)
        ]
        if fixed:
            names = ", ".join(dict.fromkeys(map(host, fixed)))
            yield fixed[0].place, f"{names} is looked up once, when nginx starts"


def _resolve_needs(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        resolving = [server for server in servers(upstream) if "resolve" in server.arguments]
        if not resolving:
            continue
        if upstream.get("zone") is None:
            yield resolving[0].place, f"resolve without a zone in upstream {upstream.first}"
        if tree.whole and upstream.effective("resolver") is None:
            yield resolving[0].place, "resolve without a resolver in the upstream or in http"


def _resolver_slow(tree: NginxTree) -> Iterator[Hit]:
    if not any("resolve" in server.arguments for u in tree.upstreams for server in servers(u)):
        return
    for node in tree.named("resolver"):
        timeout = node.parent.effective("resolver_timeout") if node.parent else None
        seconds = 30.0 if timeout is None else nginx_seconds(timeout.first)
        if seconds is not None and seconds > 5:
            yield (timeout or node).place, f"an unanswered lookup is repeated after {seconds:g} s"


def _no_keepalive(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        kept = upstream.get("keepalive")
        bounded = upstream.get("keepalive_timeout") is not None
        if kept is not None or (bounded and not tree.below(_KEEPALIVE_BY_DEFAULT)):
            continue
        if not tree.below(_KEEPALIVE_BY_DEFAULT):
            text = "idle connections are kept for 60 s, the default from nginx 1.29.7 on"
        elif tree.version is None:
            text = "no idle connections below nginx 1.29.7, and kept for 60 s from there on"
        else:
            text = "no idle connections are kept"
        yield upstream.place, f"upstream {upstream.first}: {text}"


def _outlives(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        kept, idle = upstream.get("keepalive"), upstream.get("keepalive_timeout")
        if kept is None and idle is None:
            continue  # nginx-keepalive-missing speaks of that.
        seconds = _DEFAULT_IDLE if idle is None else nginx_seconds(idle.first)
        if seconds is not None and seconds >= kato.KEEP_ALIVE_SECONDS:
            where = idle or kept or upstream
            yield (
                where.place,
                f"idle connections are kept for {seconds:g} s"
                + ("" if idle else ", the default")
                + f", KATO closes them after {kato.KEEP_ALIVE_SECONDS:g} s",
            )


def _inert(tree: NginxTree) -> Iterator[Hit]:
    ways = {
        way.proxy_pass: way.block
        for upstream in tree.upstreams
        if upstream.get("keepalive")
        for way in ways_to(tree, upstream)
    }
    for proxy_pass, block in ways.items():
        headers = {node.first.lower(): node for node in block.effective_all("proxy_set_header")}
        connection, http = headers.get("connection"), block.effective("proxy_http_version")
        upgrades = "upgrade" in headers
        missing = []
        if http is None or http.first == "1.0":
            missing.append("proxy_http_version 1.1")
        if connection is None or not (upgrades or _may_be_empty(tree, connection)):
            missing.append('proxy_set_header Connection ""')
        if missing:
            yield proxy_pass.place, f"keepalive is without effect: {' and '.join(missing)} missing"


def _may_be_empty(tree: NginxTree, header: Node) -> bool:
    text = header.arguments[1] if len(header.arguments) > 1 else ""
    names = variables(text)
    if not names:
        return text == "" or text.lower() == "keep-alive"
    node = map_of(tree, names[0])
    return node is None or any(child.first in ("", "keep-alive") for child in node.children)


def _no_zone(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        if upstream.get("zone") is None and several(upstream):
            yield upstream.place, f"upstream {upstream.first} has no zone"


def _one_failure(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        ones = [s for s in active(upstream) if (parameter(s, "max_fails") or "1") == "1"]
        if ones and several(upstream):
            stated = parameter(ones[0], "max_fails") is not None
            yield (
                ones[0].place,
                f"one failure puts a server of {upstream.first} aside"
                + ("" if stated else " (max_fails=1 fail_timeout=10s is the default)"),
            )


def _never_aside(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        for server in active(upstream):
            if parameter(server, "max_fails") == "0":
                yield server.place, f"{server.first} is never put aside"


def _long_aside(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        for server in active(upstream):
            seconds = nginx_seconds(parameter(server, "fail_timeout") or "10s")
            if seconds is not None and seconds > 10:
                yield server.place, f"{server.first} is left aside for {seconds:g} s"
                break


def _twice(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        seen: dict[str, Node] = {}
        for server in servers(upstream):
            if server.first in seen:
                yield (
                    server.place,
                    f"{server.first} stands in line {seen[server.first].place.line} already",
                )
            seen.setdefault(server.first, server)


def _none_up(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        listed = servers(upstream)
        if listed and all("down" in server.arguments for server in listed):
            yield upstream.place, f"every server of upstream {upstream.first} is down"


def _single(tree: NginxTree) -> Iterator[Hit]:
    if any(several(upstream) for upstream in tree.upstreams):
        return
    for upstream in tree.upstreams:
        listed = servers(upstream)
        if len(listed) == 1 and not only_as_fallback(tree, upstream):
            yield upstream.place, f"upstream {upstream.first} has one server"


def _too_many(tree: NginxTree) -> Iterator[Hit]:
    workers = next(iter(tree.named("worker_processes")), None)
    processes = None if workers is None else whole(workers.first)
    for upstream in tree.upstreams:
        for server in servers(upstream):
            most = whole(parameter(server, "max_conns"))
            if most is not None and most > _MOST_CONNECTIONS:
                yield server.place, f"max_conns={most} is above the {_MOST_CONNECTIONS} that it has"
        kept = upstream.get("keepalive")
        idle, processes = (
            whole(kept.first if kept else None),
            whole(workers.first if workers else None),
        )
        if kept and idle and processes and idle * processes > _MOST_CONNECTIONS:
            yield kept.place, f"{processes} workers keep {idle * processes} idle connections"


RULES: Final[tuple[Rule[NginxTree], ...]] = (
    Rule(
        id="nginx-server-name-fixed",
        title="A server's name is looked up only when nginx starts",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_name_fixed,
        cure="add zone and resolver and write resolve behind the name (nginx 1.27.3 or newer), or "
        "give addresses",
        why="nginx does not start while one name is unknown, and keeps the first address for ever: "
        "a replica that comes back with another one is never found.",
        breaks=NGINX_BASE.replace("8000 resolve", "8000"),
        holds=NGINX_BASE,
        flaws=(1,),
    ),
    Rule(
        id="nginx-resolve-incomplete",
        title="resolve without what it needs",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_resolve_needs,
        cure="add zone to the upstream and resolver to it or to http",
        why="nginx does not start: looking names up while it runs needs shared memory and a DNS "
        "server.",
        breaks=changed(
            NGINX_BASE, "    resolver 127.0.0.11 valid=5s;\n    resolver_timeout 2s;\n", ""
        ),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-resolver-slow",
        title="A lost DNS answer is waited for too long",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_resolver_slow,
        cure="write resolver_timeout 2s;",
        why="Until the first answer nginx answers 502, and it asks again only after "
        "resolver_timeout, 30 s by default.",
        breaks=changed(NGINX_BASE, "    resolver_timeout 2s;\n", ""),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-keepalive-missing",
        title="Connections to KATO are not kept, or kept for the default time",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_no_keepalive,
        cure="write keepalive 32; keepalive_timeout 4s; in the upstream, proxy_http_version 1.1 "
        'and proxy_set_header Connection "" around it',
        why="A new connection per request cost a factor of 3.3 in throughput and left 42,000 "
        "sockets in TIME_WAIT after 12 s. From 1.29.7 on nginx keeps them for 60 s, longer than "
        "KATO does: 6.5 % of the POSTs that came every 5 s were answered 502.",
        breaks=changed(NGINX_BASE, "        keepalive 32;\n        keepalive_timeout 4s;\n", ""),
        holds=NGINX_BASE,
        flaws=(11,),
    ),
    Rule(
        id="nginx-keepalive-outlives-kato",
        title="Idle connections outlive KATO's own limit",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_outlives,
        cure="write keepalive_timeout 4s; in the upstream",
        why="KATO closes a connection after 5 idle seconds, and a POST on its way then fails: 78 "
        "of 1,200 were answered 502, 69 of them because the first failures put both servers "
        "aside. With 4 s it was none.",
        breaks=changed(NGINX_BASE, "keepalive_timeout 4s;", "keepalive_timeout 5s;"),
        holds=NGINX_BASE,
        flaws=(11,),
    ),
    Rule(
        id="nginx-keepalive-inert",
        title="keepalive is without effect",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_inert,
        cure='write proxy_http_version 1.1; and proxy_set_header Connection ""; (before 1.29.7 '
        "neither is the default)",
        why="Before 1.29.7 nginx speaks HTTP/1.0 with Connection: close to servers, so nothing is "
        "kept: a third of the throughput.",
        breaks=changed(NGINX_BASE, "        proxy_http_version 1.1;\n", ""),
        holds=NGINX_BASE,
        until=_KEEPALIVE_BY_DEFAULT,
        flaws=(11,),
    ),
    Rule(
        id="nginx-no-zone",
        title="Each worker has its own idea of who is down",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_no_zone,
        cure="write zone NAME 1m; in the upstream",
        why="Without shared memory max_fails, max_conns and weights are counted per worker: "
        "max_fails=3 with 8 workers sent 24 requests to a dead server, with a zone 3.",
        breaks=changed(NGINX_BASE, "        zone kato 1m;\n", "")
        .replace("8000 resolve", "8000")
        .replace("kato-0:", "10.0.0.10:")
        .replace("kato-1:", "10.0.0.11:"),
        holds=NGINX_BASE.replace("8000 resolve", "8000")
        .replace("kato-0:", "10.0.0.10:")
        .replace("kato-1:", "10.0.0.11:"),
        flaws=(12,),
    ),
    Rule(
        id="nginx-one-failure-ejects",
        title="One failure puts a server aside",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_one_failure,
        cure="write max_fails=2 fail_timeout=5s at every server",
        why="One hiccup moves a server's sessions to others; with few servers all are aside at "
        'once and clients get "no live upstreams".',
        breaks=NGINX_BASE.replace("max_fails=2 fail_timeout=5s", "fail_timeout=5s"),
        holds=NGINX_BASE,
        flaws=(12,),
    ),
    Rule(
        id="nginx-failures-ignored",
        title="A dead server keeps its share",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_never_aside,
        cure="write max_fails=2 fail_timeout=5s",
        why="With max_fails=0 every request of its sessions first waits for the dead server.",
        breaks=changed(NGINX_BASE, _FIRST, _FIRST.replace("max_fails=2", "max_fails=0")),
        holds=NGINX_BASE,
        flaws=(12,),
    ),
    Rule(
        id="nginx-aside-for-long",
        title="A server that is back is left alone for long",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_long_aside,
        cure="write fail_timeout=5s",
        why="fail_timeout is also how long a server stays aside; its sessions are with other "
        "owners all the while.",
        breaks=changed(NGINX_BASE, _FIRST, _FIRST.replace("=5s", "=30s")),
        holds=NGINX_BASE,
        flaws=(12,),
    ),
    Rule(
        id="nginx-server-twice",
        title="A server is listed twice",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_twice,
        cure="list it once; use weight for a larger share",
        why="It counts as two: a failed request is retried on the same process.",
        breaks=changed(NGINX_BASE, "server kato-1:", "server kato-0:"),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-all-servers-down",
        title="No server takes work",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_none_up,
        cure="remove down from those that run",
        why="nginx -t is content, and every request is answered 502.",
        breaks=NGINX_BASE.replace("fail_timeout=5s;", "fail_timeout=5s down;"),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-single-server",
        title="There is no other server to go to",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_single,
        cure="list at least two replicas",
        why="With one server nginx ignores max_fails and fail_timeout, and its restart is an "
        "outage.",
        breaks=changed(
            NGINX_BASE,
            "        server kato-1:8000 resolve weight=64 max_fails=2 fail_timeout=5s;\n",
            "",
        ),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-connections-above-kato",
        title="More connections than KATO accepts",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_too_many,
        cure=f"stay at {_MOST_CONNECTIONS} or below, with KATO_LIMIT_CONCURRENCY="
        f"{kato.CONNECTION_LIMIT}",
        why="KATO's limit counts idle connections too and refuses the one that reaches it: with a "
        "limit of 20 and idle ones kept, 20 of 20 health checks got 503.",
        breaks=changed(NGINX_BASE, _FIRST, _FIRST.replace(";", " max_conns=1000;")),
        holds=changed(NGINX_BASE, _FIRST, _FIRST.replace(";", " max_conns=90;")),
    ),
)
