"""Rules on how an upstream picks a server: does a session stay with its owner?"""

import re
from collections.abc import Iterator
from typing import Final

from kato_balancing import kato
from kato_balancing.lint.amounts import nginx_seconds
from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.nginx_routes import only_as_fallback, only_without_session
from kato_balancing.lint.nginx_servers import (
    METHODS,
    active,
    host,
    is_name,
    method,
    parameter,
    servers,
    several,
)
from kato_balancing.lint.nginx_session_key import hashes, is_client_address
from kato_balancing.lint.nginx_tree import NginxTree, Node
from kato_balancing.lint.rule import Program, Rule, changed

_HASH: Final = "hash $session consistent;"
_SERVERS: Final = """\
        server kato-0:8000 resolve weight=64 max_fails=2 fail_timeout=5s;
        server kato-1:8000 resolve weight=64 max_fails=2 fail_timeout=5s;
"""
_KEPT: Final = "        keepalive 32;"
_COOKIE: Final = "        sticky cookie route httponly samesite=lax;\n"
_WITH_COOKIE: Final = changed(NGINX_BASE, _KEPT, _COOKIE + _KEPT).replace(
    "8000 resolve", "8000 route=a resolve"
)
_SESSION_HASH: Final = "hash by the session: hash $session consistent;"


def _no_affinity(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        found = method(upstream)
        if upstream.get("sticky") is not None or not several(upstream):
            continue
        if found is not None and found.name in ("hash", "ip_hash"):
            continue
        if not only_without_session(tree, upstream):
            name = "round robin" if found is None else found.name
            yield (
                (found or upstream).place,
                f"upstream {upstream.first} spreads a session over {len(active(upstream))} "
                f"servers ({name})",
            )


def _ip_hash(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        for node in upstream.all("ip_hash"):
            yield node.place, f"upstream {upstream.first} hashes the client's first three octets"


def _client_address(tree: NginxTree) -> Iterator[Hit]:
    for node in hashes(tree):
        if is_client_address(node.first):
            yield node.place, f"hash key {node.first} is the client's address, not the session"


def _not_consistent(tree: NginxTree) -> Iterator[Hit]:
    for node in hashes(tree):
        if "consistent" not in node.arguments[1:]:
            yield node.place, f"hash {node.first} without consistent"


def _one_name(tree: NginxTree) -> Iterator[Hit]:
    if any(several(upstream) for upstream in tree.upstreams):
        return  # Servers are listed one by one here, so a name is one server.
    for upstream in tree.upstreams:
        listed = servers(upstream)
        found = method(upstream)
        if found is None or found.name not in ("hash", "ip_hash") or len(listed) != 1:
            continue
        # A name that ends in a replica's number is that replica's own.
        replica = re.search(r"[-_]\d+(?:\.|$)", host(listed[0]))
        if is_name(listed[0]) and not replica and not only_as_fallback(tree, upstream):
            yield (
                listed[0].place,
                f"one name, {host(listed[0])}, is the whole ring: if it has several addresses, "
                "they are taken in turn",
            )


def _backup(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        found = method(upstream)
        if found is None or found.name not in ("hash", "ip_hash", "random"):
            continue
        for server in servers(upstream):
            if "backup" in server.arguments:
                yield server.place, f"backup in an upstream with {found.name}"


def _method_last(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        names = [node.name for node in upstream.children]
        for node in upstream.all(*METHODS):
            before = names[: upstream.children.index(node)]
            if "server" in before or "keepalive" in before:
                yield node.place, f"{node.name} follows the servers or keepalive"


def _two_methods(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        for node in upstream.all(*METHODS)[1:]:
            yield node.place, f"{node.name} is a second method in upstream {upstream.first}"


def _weights(tree: NginxTree) -> Iterator[Hit]:
    for upstream in tree.upstreams:
        weights = [parameter(server, "weight") or "1" for server in servers(upstream)]
        if len(set(weights)) > 1:
            yield servers(upstream)[0].place, f"weights {', '.join(weights)}"


def _ring_weight(tree: NginxTree) -> Iterator[Hit]:
    for node in hashes(tree):
        if node.parent is None or "consistent" not in node.arguments[1:]:
            continue
        listed = active(node.parent)
        if len(listed) > 1 and all((parameter(s, "weight") or "1") == "1" for s in listed):
            yield node.place, "every server has weight 1, which is 160 points on the ring"


def _sticky(tree: NginxTree) -> list[Node]:
    return [node for node in tree.named("sticky") if node.arguments]


def _sticky_outside(tree: NginxTree) -> Iterator[Hit]:
    for node in _sticky(tree):
        if node.parent is not None and node.parent.name in ("location", "server", "http", "if"):
            yield node.place, f"sticky in {node.parent.name}"


def _cookies(tree: NginxTree) -> list[Node]:
    return [node for node in _sticky(tree) if node.first == "cookie"]


def _cookie_flags(tree: NginxTree) -> Iterator[Hit]:
    tls = any("ssl" in node.arguments for node in tree.named("listen"))
    for node in _cookies(tree):
        names = {argument.partition("=")[0] for argument in node.arguments}
        wanted = ["httponly", "samesite", *(["secure"] if tls else [])]
        missing = [name for name in wanted if name not in names]
        if missing:
            yield node.place, f"the routing cookie lacks {', '.join(missing)}"


def _cookie_domain(tree: NginxTree) -> Iterator[Hit]:
    for node in _cookies(tree):
        for argument in node.arguments:
            if argument.startswith("domain="):
                yield node.place, f"the routing cookie goes to all of {argument[7:]}"


def _cookie_expires(tree: NginxTree) -> Iterator[Hit]:
    for node in _cookies(tree):
        for argument in node.arguments:
            seconds = nginx_seconds(argument[8:]) if argument.startswith("expires=") else None
            if seconds is not None and seconds < kato.SESSION_TTL_SECONDS:
                yield node.place, f"the routing cookie is forgotten after {seconds:g} s"


def _route(tree: NginxTree) -> Iterator[Hit]:
    for node in _cookies(tree):
        inside = node.parent is not None and node.parent.name == "upstream"
        upstreams = [node.parent] if inside else tree.upstreams
        listed = [server for upstream in upstreams if upstream for server in active(upstream)]
        if any(parameter(server, "route") is None for server in listed):
            yield node.place, "servers without route= have the md5 of their address as the cookie"


RULES: Final[tuple[Rule[NginxTree], ...]] = (
    Rule(
        id="nginx-no-session-affinity",
        title="A session's requests go to any server",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_no_affinity,
        cure=_SESSION_HASH,
        why="KATO's session lock lives in one process. With 40 sessions and 40 overlapping "
        "writers round robin lost 27.8 % and least_conn 27.9 % of the acknowledged observations; "
        "a hash by session lost none.",
        breaks=changed(NGINX_BASE, _HASH, "least_conn;"),
        holds=NGINX_BASE,
        flaws=(17,),
    ),
    Rule(
        id="nginx-ip-hash",
        title="ip_hash looks at three octets of the client's address",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_ip_hash,
        cure=_SESSION_HASH,
        why="248 clients of one /24 network all went to one server; behind a NAT, an ingress or a "
        "CDN every client is one. Two clients of one session have two owners.",
        breaks=changed(NGINX_BASE, _HASH, "ip_hash;"),
        holds=NGINX_BASE,
        flaws=(10,),
    ),
    Rule(
        id="nginx-hash-by-client-address",
        title="The hash key is the client's address",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_client_address,
        cure=_SESSION_HASH + " or allow it with a comment where a session never has two clients",
        why="Clients behind one NAT or proxy are one key and load one server; a session that two "
        "clients use has two owners, and overlapping updates of it are lost.",
        breaks=changed(NGINX_BASE, _HASH, "hash $remote_addr consistent;"),
        holds=NGINX_BASE,
        flaws=(10,),
    ),
    Rule(
        id="nginx-hash-not-consistent",
        title="The hash moves most sessions when the pool changes",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_not_consistent,
        cure="write consistent behind the key",
        why="From 3 to 4 servers 75 % of the sessions moved, with consistent 25 %.",
        breaks=changed(NGINX_BASE, _HASH, "hash $session;"),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-hash-over-one-name",
        title="The ring has one name, whatever addresses that has",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_one_name,
        cure="list one name per replica, or use an SRV record: server NAME service=http resolve",
        why="The ring is keyed on the server's name; addresses behind it are taken in turn. With "
        "three addresses 0 of 300 sessions stayed with one server. nginx -t says nothing.",
        breaks=changed(
            NGINX_BASE,
            _SERVERS,
            "        server kato:8000 resolve weight=64 max_fails=2 fail_timeout=5s;\n",
        ),
        holds=changed(
            NGINX_BASE,
            _SERVERS,
            "        server kato service=http resolve weight=64 max_fails=2 fail_timeout=5s;\n",
        ),
    ),
    Rule(
        id="nginx-backup-with-hash",
        title="backup together with a hash",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_backup,
        cure="put the backups into an upstream of their own and reach it with "
        "error_page 502 504 = @backup, for requests that may be repeated",
        why="With the method before the servers nginx refuses to start; behind them both 1.22 and "
        "1.30 take it silently.",
        breaks=changed(
            NGINX_BASE,
            "        keepalive 32;",
            "        server spare:8000 resolve weight=64 max_fails=2 fail_timeout=5s backup;\n"
            "        keepalive 32;",
        ),
        holds=NGINX_BASE,
        flaws=(9,),
    ),
    Rule(
        id="nginx-method-after-servers",
        title="The balancing method follows the servers",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_method_last,
        cure="write the method before the servers and before keepalive",
        why="Only then does nginx check the servers' parameters against it.",
        breaks=changed(
            changed(NGINX_BASE, f"        {_HASH}\n", ""),
            "        keepalive 32;",
            f"        {_HASH}\n        keepalive 32;",
        ),
        holds=NGINX_BASE,
        flaws=(9,),
    ),
    Rule(
        id="nginx-two-methods",
        title="Two balancing methods in one upstream",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_two_methods,
        cure="keep the hash and remove the other",
        why="nginx only warns, and uses the last one.",
        breaks=changed(NGINX_BASE, _HASH, f"{_HASH}\n        least_conn;"),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-weights-unequal",
        title="Servers have different weights",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_weights,
        cure="give equal replicas equal weights, or allow it with a comment where they differ",
        why="A guessed weight is wrong for as long as it stands; with a hash each change of it "
        "moves sessions to other owners.",
        breaks=changed(NGINX_BASE, "0:8000 resolve weight=64", "0:8000 resolve weight=30"),
        holds=NGINX_BASE,
        flaws=(17,),
    ),
    Rule(
        id="nginx-ring-weight-one",
        title="The ring has few points, so load is uneven",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_ring_weight,
        cure="write weight=64 at every server",
        why="nginx puts 160 points per unit of weight on the ring: with 1 the fullest of 3 to 10 "
        "servers owns up to 1.30 times the mean, with 10 up to 1.09 and with 64 up to 1.04.",
        breaks=NGINX_BASE.replace(" weight=64", ""),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-sticky-outside-upstream",
        title="sticky stands outside of an upstream",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_sticky_outside,
        cure="move sticky into the upstream (nginx 1.29.6 or newer), or hash by the session",
        why='nginx does not start: "unknown directive" up to 1.29.5, "not allowed here" from then '
        "on. API clients mostly keep no cookies anyway.",
        breaks=changed(
            NGINX_BASE,
            "        location / {\n",
            "        location / {\n            sticky cookie route path=/ httponly samesite=lax;\n",
        ),
        holds=NGINX_BASE,
        flaws=(2,),
    ),
    Rule(
        id="nginx-sticky-cookie-flags",
        title="The routing cookie is open to scripts or other sites",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_cookie_flags,
        cure="add httponly and samesite=lax, and secure where clients use TLS",
        why="nginx sets none of them by itself.",
        breaks=changed(_WITH_COOKIE, " httponly samesite=lax", ""),
        holds=_WITH_COOKIE,
        flaws=(2,),
    ),
    Rule(
        id="nginx-sticky-cookie-domain",
        title="The routing cookie goes to every sub-domain",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_cookie_domain,
        cure="leave domain out: the cookie then belongs to this host only",
        why="Every other service below that domain receives it and can set it.",
        breaks=changed(_WITH_COOKIE, "=lax;", "=lax domain=.example.com;"),
        holds=_WITH_COOKIE,
        flaws=(3,),
    ),
    Rule(
        id="nginx-sticky-cookie-expires-early",
        title="The routing cookie is forgotten before the session",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_cookie_expires,
        cure="write expires=2h, or leave it out",
        why="KATO's sessions live for an hour after their last use, the cookie for this long "
        "after it was set: a live session then goes to any server.",
        breaks=changed(_WITH_COOKIE, "=lax;", "=lax expires=10m;"),
        holds=_WITH_COOKIE,
    ),
    Rule(
        id="nginx-sticky-cookie-shows-address",
        title="The routing cookie can be guessed",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_route,
        cure="give every server an opaque route=",
        why="Without route= the cookie is the md5 of the server's address and port, which can be "
        "tried out: a client learns addresses and picks its server.",
        breaks=_WITH_COOKIE.replace(" route=a", ""),
        holds=_WITH_COOKIE,
        flaws=(3,),
    ),
)
