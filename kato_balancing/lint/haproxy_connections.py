"""Rules on the names of HAProxy's servers and on the connections to them."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from kato_balancing import kato
from kato_balancing.lint.amounts import haproxy_seconds, whole
from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.haproxy_tree import HaproxyTree, Server
from kato_balancing.lint.rule import Program, Rule, changed

_DEFAULT_PURGE: Final = 5.0
_MOST_CONNECTIONS: Final = kato.CONNECTION_LIMIT - 1 - 8


def _is_name(server: Server) -> bool:
    host = server.host.strip("[]")
    if host.startswith(("unix@", "/", "$", "fd@", "abns@", "ipv4@", "ipv6@", "127.")):
        return False
    if host in ("", "localhost") or "$" in host:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _name_fixed(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        fixed = [server for server in backend.servers if _is_name(server)
                 and "resolvers" not in server.parameters]  # fmt: skip
        if fixed:
            names = ", ".join(dict.fromkeys(server.host for server in fixed))
            yield fixed[0].line.place, f"{names} is looked up once, when HAProxy starts"


def _dies(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        for server in backend.servers:
            if "resolvers" in server.parameters and _is_name(server) and not server.is_template:
                ways = server.parameters.get("init-addr", "last,libc").split(",")
                if "none" not in ways and not any(way[:1].isdigit() for way in ways):
                    yield (
                        server.line.place,
                        f"HAProxy does not start while {server.host} is unknown",
                    )
                    break


def _outlives(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        reuse = backend.effective("http-reuse")
        closing = backend.option("httpclose") or backend.option("http-server-close")
        if (reuse is not None and reuse.words[1:2] == ("never",)) or closing:
            continue
        for server in backend.servers:
            text = server.parameters.get("pool-purge-delay")
            seconds = _DEFAULT_PURGE if text is None else haproxy_seconds(text)
            if server.parameters.get("pool-max-conn") == "0" or seconds is None:
                continue
            if seconds >= kato.KEEP_ALIVE_SECONDS:
                yield (
                    server.line.place,
                    f"idle connections are kept for {seconds:g} s or more"
                    + (", the default" if text is None else ""),
                )
                break


def _no_limit(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        for server in backend.servers:
            most = whole(server.parameters.get("maxconn"))
            if most is None and "maxconn" in server.parameters:
                continue
            if not most or most > _MOST_CONNECTIONS:
                what = f"maxconn {most}" if most else "no maxconn"
                yield server.line.place, f"server {server.name} has {what}"
                break


RULES: Final[tuple[Rule[HaproxyTree], ...]] = (
    Rule(
        id="haproxy-server-name-fixed",
        title="A server's name is looked up only when HAProxy starts",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_name_fixed,
        cure="add a resolvers section and resolvers NAME init-addr none to default-server, or give "
        "addresses",
        why="HAProxy does not start while one name is unknown, and keeps the first address for "
        "ever: a replica that comes back with another one is never found.",
        breaks=changed(HAPROXY_BASE, " resolvers dns init-addr none", ""),
        holds=HAPROXY_BASE,
        flaws=(28,),
    ),
    Rule(
        id="haproxy-start-needs-dns",
        title="HAProxy does not start before every replica is known",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_dies,
        cure="write init-addr none, or init-addr libc,none",
        why="The default asks once and fails: one replica that is not there yet keeps HAProxy "
        "from starting.",
        breaks=changed(HAPROXY_BASE, " init-addr none", ""),
        holds=HAPROXY_BASE,
        flaws=(28,),
    ),
    Rule(
        id="haproxy-pool-outlives-kato",
        title="Idle connections outlive KATO's own limit",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_outlives,
        cure="write pool-purge-delay 1s or less at default-server: connections are closed by "
        "halves at each purge, so the last one stays for several",
        why="KATO closes a connection after 5 idle seconds, the default here too, and a POST on "
        "its way then fails.",
        breaks=changed(HAPROXY_BASE, " pool-purge-delay 1s", ""),
        holds=HAPROXY_BASE,
        flaws=(11,),
    ),
    Rule(
        id="haproxy-server-maxconn",
        title="KATO's connection limit can be passed",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_no_limit,
        cure=f"write maxconn at default-server, at most {_MOST_CONNECTIONS} with "
        f"KATO_LIMIT_CONCURRENCY={kato.CONNECTION_LIMIT}, and timeout queue 5s",
        why="Above its limit KATO answers 503 to everything, health checks too. With maxconn "
        "requests wait in HAProxy for the server that owns their session.",
        breaks=changed(HAPROXY_BASE, "maxconn 90 ", ""),
        holds=HAPROXY_BASE,
        flaws=(27,),
    ),
)
