"""Model → HAProxy backends: who is asked, how it is found, probed and kept from overload."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kato_balancing import chosen, headers, invariants
from kato_balancing.cookies import cookie_value
from kato_balancing.fields import Affinity, Balancing, SameSite
from kato_balancing.haproxy_identity import ring_weights, server_ids
from kato_balancing.haproxy_refusals import FULLY_UP, QUIET_LOOKUP, requests
from kato_balancing.haproxy_syntax import Line, Section, line, section
from kato_balancing.hosts import bracketed, is_address
from kato_balancing.model import ActiveHealth, Balancer, Pool, Server
from kato_balancing.targets import Version

PROGRAM = "haproxy"

POOL, SPREAD, EVENTS, CANARY = "kato", "kato_spread", "kato_events", "kato_canary"
SESSION = "txn.kato_session"
PEERS = RESOLVERS = "kato"

DISCOVERY_SLOTS = 64
"""Servers that a discovery name may stand for; HAProxy makes room for them when it starts."""

SHARES_PER_PERCENT = 10_000
"""How finely a session's place is compared with a canary's share."""

_ANY_SERVER_OF_ITS_OWN = 4
"""With LEAST_CONNECTIONS one request in this many may be without a session: most are not."""


@dataclass(frozen=True)
class Backend:
    """One backend of the balancer. ``probing`` is the backend whose checks count for this one
    too, where it does not probe itself."""

    name: str
    pool: Pool
    most: int
    """Requests in flight at one server; the next ones wait for it."""
    by_least_connections: bool = False
    probing: str | None = None
    learns: bool = False
    instead_of: str | None = None
    """The backend for which it serves while that one has no server."""


def backends(balancer: Balancer) -> Iterator[Backend]:
    """The backends that the balancer needs, the pool's own first."""
    apart = invariants.spreads_apart(balancer)
    least = balancer.balancing is Balancing.LEAST_CONNECTIONS
    most = requests(balancer)
    spread = max(1, most // _ANY_SERVER_OF_ITS_OWN) if apart else 0
    probing = None if balancer.pool.discovery else POOL
    learns = balancer.learned is not None
    stable = Backend(POOL, balancer.pool, most - spread, least, learns=learns)
    yield stable
    yield _in_panic(stable)
    if apart:
        yield Backend(SPREAD, balancer.pool, spread, least, probing)
    if balancer.limits.websockets:
        yield Backend(EVENTS, balancer.pool, balancer.limits.websockets, least, probing)
    if balancer.canary is not None:
        canary = Backend(CANARY, balancer.canary.pool, most, least, learns=learns)
        yield canary
        yield _in_panic(canary)


def panic(backend: str) -> str:
    """The backend that serves while all servers of ``backend`` look dead: the checks are likelier
    to be wrong, when a machine has no time for them, than all servers to be gone at once. It has
    the same servers on the same ring, and probes none, so every session keeps its owner."""
    return f"{backend}_panic"


def _in_panic(backend: Backend) -> Backend:
    return replace(backend, name=panic(backend.name), instead_of=backend.name)


def render(balancer: Balancer, backend: Backend, version: Version) -> Section:
    """The backend's section."""
    lines = [
        # What HAProxy says about its servers; the access log is the frontend's.
        line("log", "global"),
        *_method(balancer, backend),
        *_learned(balancer, backend),
        *_retries(balancer, backend),
        *_probe(balancer, backend),
        line("http-response", "set-var(txn.kato_upstream_status)", "status"),
    ]
    if balancer.reveal_servers:
        lines.append(
            line(
                "http-response", "set-header", headers.REVEAL_RESPONSE_HEADER, "%s",
                "if", "{", "var(txn.kato_reveal)", "-m", "bool", "}",
            )
        )  # fmt: skip
    lines += _servers(balancer, backend, version)
    return section("backend", backend.name, inside=lines)


def _method(balancer: Balancer, backend: Backend) -> Iterator[Line]:
    hashed = {Affinity.SESSION: f"var({SESSION})", Affinity.CLIENT_IP: "src"}
    if balancer.affinity in hashed and backend.name != SPREAD:
        # A request without the key is spread over all servers.
        comment = chosen.method(balancer, PROGRAM)
        yield line("balance", "hash", hashed[balancer.affinity], comment=comment)
        yield line("hash-type", "consistent", "crc32", "avalanche")
    else:
        comment = chosen.method(balancer, PROGRAM) if balancer.affinity is Affinity.NONE else ""
        method = "leastconn" if backend.by_least_connections else "roundrobin"
        yield line("balance", method, comment=comment)
    if balancer.affinity is Affinity.COOKIE:
        yield _cookie(balancer)
    if backend.pool.backups:
        # Without it only the first of them serves.
        yield line("option", "allbackups")


def _cookie(balancer: Balancer) -> Line:
    cookie = balancer.cookie
    same_site = cookie.same_site if cookie else SameSite.LAX
    words = ["cookie", cookie.name if cookie else "kato_route"]
    words += ["insert", "indirect", "nocache", "httponly"]
    if balancer.tls is not None:
        words.append("secure")
    words += ["attr", f"SameSite={same_site.value.capitalize()}"]
    if cookie is not None and cookie.max_age is not None:
        words += ["attr", f"Max-Age={max(1, round(cookie.max_age))}"]
    return line(*words)


def _learned(balancer: Balancer, backend: Backend) -> Iterator[Line]:
    if not backend.learns or balancer.learned is None:
        return
    if backend.instead_of is not None:
        yield line("stick", "on", f"var({SESSION})", "table", backend.instead_of)
        return
    yield line(
        "stick-table", "type", "string", "len", 128, "size", balancer.learned.capacity,
        "expire", milliseconds(balancer.learned.timeout), "peers", PEERS,
        comment="Who owns which session; kept over reloads. A new server gets new sessions only.",
    )  # fmt: skip
    yield line("stick", "on", f"var({SESSION})")


def _retries(balancer: Balancer, backend: Backend) -> Iterator[Line]:
    retries = balancer.retry.tries - 1
    if backend.pool.backups:
        # Every primary must fail often enough to be put aside before a backup is asked.
        failures = balancer.health.passive.failures
        retries = max(retries, len(backend.pool.primaries) * failures)
    yield line("retries", retries)
    if retries:
        yield line("option", "redispatch", 1)
    yield line(
        "retry-on", "conn-failure", "empty-response",
        comment="Another server only when nothing was sent, or the request may be repeated.",
    )  # fmt: skip
    yield line(
        "http-request", "disable-l7-retry", "unless", "{", "method", "GET", "HEAD", "OPTIONS", "}"
    )


def _probe(balancer: Balancer, backend: Backend) -> Iterator[Line]:
    if not _probes(backend):
        return
    yield line("option", "httpchk")
    yield line(
        "http-check", "send", "meth", "GET", "uri", active(balancer).path,
        "ver", "HTTP/1.1", "hdr", "Host", "kato",
        comment="KATO answers 405 to HEAD and OPTIONS.",
    )  # fmt: skip
    yield line("http-check", "expect", "status", 200)


def _probes(backend: Backend) -> bool:
    return backend.probing is None and backend.instead_of is None


def active(balancer: Balancer) -> ActiveHealth:
    """The probes; HAProxy always has them."""
    return balancer.health.active or ActiveHealth()


def _servers(balancer: Balancer, backend: Backend, version: Version) -> Iterator[Line]:
    comment = ""
    if backend.instead_of is not None:
        comment = f"While no server of {backend.instead_of} answers its checks."
    words = *_checked(balancer, backend, version), *_connections(balancer, backend)
    yield line("default-server", *words, comment=comment)
    discovery = backend.pool.discovery
    if discovery is not None:
        yield line(
            "server-template", "kato", f"1-{DISCOVERY_SLOTS}",
            f"_{discovery.service}._tcp.{discovery.name}",
            *_looked_up(balancer, "none"),
            *(("hash-key", "addr-port") if _on_a_ring(balancer, backend) else ()),
        )  # fmt: skip
        return
    ids, weights = server_ids(backend.pool), ring_weights(backend.pool)
    comment = chosen.servers(balancer, backend.pool, PROGRAM)
    for server in backend.pool.servers:
        numbers = ids[server.name], weights[server.name]
        written = _server(balancer, backend, version, server, numbers)
        yield replace(written, comment=comment)
        comment = ""


def _server(
    balancer: Balancer, backend: Backend, version: Version, server: Server, ids: tuple[int, int]
) -> Line:
    number, ring_weight = ids
    weight = ring_weight if _on_a_ring(balancer, backend) else server.weight
    words: list[object] = ["server", server.name, f"{bracketed(server.host)}:{server.port}"]
    words += ["id", number, "weight", weight]
    if balancer.affinity is Affinity.COOKIE:
        words += ["cookie", cookie_value(server.name)]
    if backend.probing is not None:
        words += ["track", f"{backend.probing}/{server.name}"]
    if server.backup:
        words.append("backup")
    if server.draining:
        words.append("disabled")
    if not is_address(server.host):
        words += _looked_up(balancer, _at_start(version))
    return line(*words)


def _on_a_ring(balancer: Balancer, backend: Backend) -> bool:
    hashed = balancer.affinity in (Affinity.SESSION, Affinity.CLIENT_IP)
    return hashed and backend.name != SPREAD


def _at_start(version: Version) -> str:
    """``libc`` asks once while HAProxy starts, so that a reload has every address at once;
    ``none`` lets it start without a server that is not there yet."""
    return "libc,none" if version >= QUIET_LOOKUP.since else "none"


def _looked_up(balancer: Balancer, at_start: str) -> list[str]:
    if balancer.resolver is None:
        return []
    return ["resolvers", RESOLVERS, "resolve-prefer", "ipv4", "init-addr", at_start]


def _checked(balancer: Balancer, backend: Backend, version: Version) -> list[object]:
    if not _probes(backend):
        return []
    passive = balancer.health.passive
    observed = ["observe", "layer4", "error-limit", passive.failures, "on-error", "mark-down"]
    return [*probes(balancer, version), *observed]


def probes(balancer: Balancer, version: Version) -> list[object]:
    """When a server is asked for its health, and what takes it away and back."""
    probe = active(balancer)
    return [
        "check", "inter", milliseconds(probe.interval),
        "fastinter", milliseconds(probe.interval_failing),
        "downinter", milliseconds(probe.interval_down), "rise", probe.rise, "fall", probe.fall,
        *(["init-state", "fully-up"] if version >= FULLY_UP.since else []),
    ]  # fmt: skip


def _connections(balancer: Balancer, backend: Backend) -> list[object]:
    if backend.name == EVENTS or backend.instead_of is not None:
        # A WebSocket's connection is never used again, and a panic's are rare.
        return ["maxconn", backend.most, "pool-max-conn", 0]
    idle = balancer.limits.workers * invariants.idle_per_process(balancer)
    return [
        "maxconn", backend.most,
        "pool-max-conn", idle,
        "pool-purge-delay", milliseconds(balancer.keep_alive.idle / purges(idle)),
    ]  # fmt: skip


def purges(idle: int) -> int:
    """Purges after which none of ``idle`` unused connections is left, at the most.

    HAProxy does not close a connection by its own age: at every purge it halves the estimate of
    what it needs (after two purges that still count the last use), and closes half of the rest.
    With the whole idle time as the delay, 15 to 25 % of the POSTs that came every 5 s met a
    connection that KATO was closing; with this many purges in that time, none of 1,200.
    """
    return 2 * idle.bit_length() + 3


def milliseconds(seconds: float) -> str:
    """A time as HAProxy reads it, at least 1 ms."""
    return f"{max(1, round(seconds * 1000))}ms"


def plain_path(path: str) -> str:
    """The path as requests are compared with it: one slash at a time, no ``/./``, none last."""
    return re.sub(r"/(\./)+", "/", re.sub(r"/+", "/", path)).rstrip("/")
