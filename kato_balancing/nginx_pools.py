"""The upstreams of an nginx configuration, and which of them a request goes to."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kato_balancing import chosen, invariants
from kato_balancing.cookies import cookie_value
from kato_balancing.fields import Affinity, Balancing
from kato_balancing.hosts import bracketed, is_address
from kato_balancing.model import Balancer, Canary, Pool, Server
from kato_balancing.nginx_syntax import Directive, block, directive, mapping

PROGRAM = "nginx"

RING_WEIGHT = 64
"""nginx's units for a server of weight 1 on a ring, with 160 points each. In 200 drawn pools each
of 3, 4, 7 and 10 equal servers the fullest owned at most 1.04 of the mean with 64 units, 1.09 with
10 and 1.30 with one. A server's points cost each worker 0.2 MB, and 2 ms when the servers change
(measured on 1.30). Balancers and client libraries must have the same number."""

HEAVIEST = 256
"""The most units of a server: with 6,400 each, ten servers of weight 100 would cost each worker
160 MB and 2 s."""

SESSIONS_PER_MEGABYTE = 4000
"""What one megabyte of a table of learned sessions holds."""

STABLE, CANARY, BACKUP = "kato", "kato_canary", "kato_backup"
SPREAD = "_spread"
"""Ending of the upstream for requests that have no owner, where they need one of their own."""

LEARNED = "$kato_learned"

_HASH_KEY = {Affinity.SESSION: "$kato_session", Affinity.CLIENT_IP: "$remote_addr"}


@dataclass(frozen=True)
class _Upstream:
    name: str
    method: tuple[Directive, ...]
    servers: tuple[Directive, ...]
    learns: bool


def upstreams(balancer: Balancer) -> Iterator[Directive]:
    """Every upstream of the configuration."""
    pools = {STABLE: balancer.pool}
    if balancer.canary is not None:
        pools[CANARY] = balancer.canary.pool
    for name, pool in pools.items():
        yield from (_upstream(balancer, one) for one in _of_pool(balancer, name, pool))
    if has_backup_pool(balancer):
        # A hash upstream takes no "backup" server.
        backups = [s.model_copy(update={"backup": False}) for s in balancer.pool.backups]
        servers = _servers(balancer, backups, balancer.pool)
        yield _upstream(balancer, _Upstream(BACKUP, (_hash(balancer),), servers, learns=False))


def target(balancer: Balancer) -> str:
    """The upstream that a request goes to: a name, or the variable that holds it."""
    if invariants.spreads_apart(balancer):
        return "$kato_target"
    return "$kato_pool" if balancer.canary is not None else STABLE


def choices(balancer: Balancer) -> Iterator[Directive]:
    """The variables that choose a request's upstream."""
    pool = STABLE
    if balancer.canary is not None:
        pool = "$kato_pool"
        yield mapping(
            "$kato_session", "$kato_share", ("", "$request_id"), ("default", "$kato_session"),
            comment="A larger share keeps the sessions that it had. Requests without one follow "
            "it too.",
        )  # fmt: skip
        yield from _canary(balancer.canary)
    if invariants.spreads_apart(balancer):
        twin = "${kato_pool}" + SPREAD if balancer.canary is not None else STABLE + SPREAD
        yield mapping("$kato_session", "$kato_target", ("", twin), ("default", pool))


def _canary(canary: Canary) -> Iterator[Directive]:
    if not canary.steps:
        yield _split(canary.share, "$kato_pool")
        return
    names = {step: f"$kato_step_{number}" for number, step in enumerate(canary.steps)}
    for step, name in names.items():
        yield _split(step.share, name)
    newest_first = list(names.items())[::-1]
    yield mapping(
        "$kato_session", "$kato_pool",
        ("", newest_first[0][1]),
        *((f"~-(?:{at_least(step.since)})$", name) for step, name in newest_first),
        ("default", STABLE),
        comment="The step that a session was born into, by the time at the end of its id.",
    )  # fmt: skip


def _split(share: float, name: str) -> Directive:
    split = [] if share == 0 else [directive("*" if share == 100 else f"{share:g}%", CANARY)]
    if share < 100:
        split.append(directive("*", STABLE))
    return block("split_clients", "$kato_share", name, inside=split)


def at_least(number: int) -> str:
    """A pattern of the numbers with as many digits that are not smaller: nginx's maps can't
    compare."""
    digits = str(number)
    larger = [
        f"{digits[:place]}[{int(digit) + 1}-9]" + r"\d" * (len(digits) - place - 1)
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    return "|".join([digits, *larger])


def ring_weights(pool: Pool) -> dict[str, int]:
    """nginx weight of every server by its name on a ring: the model's weights, scaled up together
    by 64, or by less when one is above 4."""
    return pool.scaled_weights(RING_WEIGHT, HEAVIEST)


def has_backup_pool(balancer: Balancer) -> bool:
    """True when the backup servers stand in an upstream of their own."""
    return balancer.affinity in _HASH_KEY and bool(balancer.pool.backups)


def seconds(value: float) -> str:
    """A time, down to a millisecond."""
    if float(value).is_integer():
        return f"{value:g}s"
    return f"{max(1, round(value * 1000))}ms"


def whole_seconds(value: float) -> str:
    """For the few times that nginx reads in seconds only: rounded up."""
    return f"{math.ceil(value)}s"


def _of_pool(balancer: Balancer, name: str, pool: Pool) -> Iterator[_Upstream]:
    apart = balancer.affinity in _HASH_KEY
    if pool.discovery is None:
        servers = _servers(balancer, [s for s in pool.servers if not (apart and s.backup)], pool)
    else:
        servers = (
            directive(
                "server", pool.discovery.name, f"service={pool.discovery.service}", "resolve",
                *_health(balancer, RING_WEIGHT if apart else 1),
            ),
        )  # fmt: skip
    least: tuple[Directive, ...] = ()
    if balancer.balancing is Balancing.LEAST_CONNECTIONS:
        least = (directive("least_conn", comment=_without_affinity(balancer)),)
    if not apart:
        yield _Upstream(name, least, servers, learns=False)
        return
    yield _Upstream(name, (_hash(balancer),), servers, learns=balancer.learned is not None)
    if invariants.spreads_apart(balancer):
        yield _Upstream(name + SPREAD, least, servers, learns=False)


def _without_affinity(balancer: Balancer) -> str:
    return chosen.method(balancer, PROGRAM) if balancer.affinity is Affinity.NONE else ""


def _hash(balancer: Balancer) -> Directive:
    comment = chosen.method(balancer, PROGRAM)
    return directive("hash", _HASH_KEY[balancer.affinity], "consistent", comment=comment)


def _upstream(balancer: Balancer, upstream: _Upstream) -> Directive:
    return block(
        "upstream",
        upstream.name,
        inside=[
            directive("zone", upstream.name, "1m"),
            *upstream.method,
            *upstream.servers,
            *_stickiness(balancer, upstream),
            directive("keepalive", invariants.idle_per_process(balancer)),
            directive("keepalive_timeout", seconds(balancer.keep_alive.idle)),
        ],
        comment="" if upstream.method else _without_affinity(balancer),
    )


def _stickiness(balancer: Balancer, upstream: _Upstream) -> Iterator[Directive]:
    if balancer.affinity is Affinity.COOKIE:
        cookie = balancer.cookie_rules
        expires = [] if cookie.max_age is None else [f"expires={whole_seconds(cookie.max_age)}"]
        secure = ["secure"] if balancer.tls is not None else []
        yield directive(
            "sticky", "cookie", cookie.name, *expires, "path=/", "httponly",
            f"samesite={cookie.same_site}", *secure,
        )  # fmt: skip
    if upstream.learns and balancer.learned is not None:
        megabytes = max(1, math.ceil(balancer.learned.capacity / SESSIONS_PER_MEGABYTE))
        yield directive(
            "sticky", "learn", f"create={LEARNED}", "lookup=$kato_session",
            f"zone={upstream.name}_sessions:{megabytes}m",
            f"timeout={whole_seconds(balancer.learned.timeout)}", "header",
            comment="Who owns which session; it outlives a reload. A new server gets new sessions "
            "only.",
        )  # fmt: skip


def _servers(balancer: Balancer, servers: Sequence[Server], pool: Pool) -> tuple[Directive, ...]:
    comment = chosen.servers(balancer, pool, PROGRAM)
    on_ring = balancer.affinity in _HASH_KEY
    weights = ring_weights(pool) if on_ring else {s.name: s.weight for s in pool.servers}
    return tuple(
        _server(balancer, server, weights[server.name], comment if index == 0 else "")
        for index, server in enumerate(servers)
    )


def _server(balancer: Balancer, server: Server, weight: int, comment: str) -> Directive:
    arguments = [f"{bracketed(server.host)}:{server.port}", *_health(balancer, weight)]
    if balancer.affinity is Affinity.COOKIE:
        arguments.append(f"route={cookie_value(server.name)}")
    if server.draining:
        # Without a table of owners nobody is bound to a server that drains.
        bound = balancer.affinity is Affinity.COOKIE or balancer.learned is not None
        arguments.append("drain" if bound else "down")
    elif server.backup:
        arguments.append("backup")
    if balancer.resolver is not None and not is_address(server.host):
        arguments.append("resolve")
    return directive("server", *arguments, comment=comment)


def _health(balancer: Balancer, weight: int) -> Sequence[str]:
    passive = balancer.health.passive
    return (
        f"weight={weight}",
        f"max_fails={passive.failures}",
        f"fail_timeout={whole_seconds(passive.window)}",
    )
