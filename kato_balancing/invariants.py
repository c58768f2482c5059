"""Relations that must hold between a balancer's numbers and KATO's own.

Each is a place where two sound numbers make an unsound pair; what goes wrong without it was
seen on running servers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kato_balancing import kato
from kato_balancing.fields import Affinity, Balancing, CanaryMode, SameSite

if TYPE_CHECKING:
    from kato_balancing.model import Balancer, KatoProcess


@dataclass(frozen=True)
class Broken:
    """A relation that does not hold: the field to change, the rule and the cure."""

    location: tuple[str, ...]
    message: str


def of_balancer(balancer: "Balancer") -> list[Broken]:
    """Every relation that the balancer breaks, in a fixed order."""
    return [
        *_one_writer(balancer),
        *_births(balancer),
        *_idle_connections(balancer),
        *_connection_budget(balancer),
        *_retries(balancer),
        *_sessions_remembered(balancer),
        *_only_with_their_affinity(balancer),
        *_ports(balancer),
    ]


def of_stop_time(stop_seconds: float, process: "KatoProcess") -> list[Broken]:
    """A replica's time between SIGTERM and SIGKILL must cover KATO's drain and its last writes."""
    needed = process.graceful_shutdown + kato.FLUSH_SECONDS
    if stop_seconds >= needed:
        return []
    return [
        Broken(
            ("stop_seconds",),
            f"must be at least {needed:g} s: KATO drains for {process.graceful_shutdown:g} s and "
            f"then writes for up to {kato.FLUSH_SECONDS:g} s (got {stop_seconds:g}); "
            "raise it, or lower process.graceful_shutdown together with KATO's own option",
        )
    ]


def request_budget(balancer: "Balancer") -> int:
    """Requests in flight that one balancer may have, when all fall on one KATO process.

    uvicorn counts idle connections and refuses the one that reaches the limit, so the budget is
    (limit - 1 - reserve) / balancers - idle connections - WebSockets.
    """
    limits = balancer.limits
    available = (balancer.process.connection_limit - 1 - limits.reserve) // limits.balancers
    return available - idle_connections(balancer) - limits.websockets


def idle_connections(balancer: "Balancer") -> int:
    """Idle connections that one balancer may keep to one server."""
    return balancer.limits.workers * idle_per_process(balancer) * _upstreams(balancer)


def idle_per_process(balancer: "Balancer") -> int:
    """``keep_alive.connections`` with its default.

    With 32 instead of 64 for 64 busy clients, nginx closed and opened connections all the time
    and answered a tenth fewer requests (``make bench``).
    """
    if balancer.keep_alive.connections is not None:
        return balancer.keep_alive.connections
    limits = balancer.limits
    processes = limits.balancers * limits.workers * _upstreams(balancer)
    third = balancer.process.connection_limit // (3 * processes)
    return max(1, min(64 // limits.balancers, third))


def _upstreams(balancer: "Balancer") -> int:
    return 2 if spreads_apart(balancer) else 1


def spreads_apart(balancer: "Balancer") -> bool:
    """True when requests without a session need a method that the session hash can't give."""
    return (
        balancer.affinity is Affinity.SESSION and balancer.balancing is Balancing.LEAST_CONNECTIONS
    )


def _one_writer(balancer: "Balancer") -> Iterator[Broken]:
    if balancer.process.workers > 1 and balancer.affinity is not Affinity.NONE:
        yield Broken(
            ("process", "workers"),
            f"must be 1 with {balancer.affinity} affinity (got {balancer.process.workers}): a "
            "session's lock lives in one process; add replicas instead of workers",
        )


def _births(balancer: "Balancer") -> Iterator[Broken]:
    canary = balancer.canary
    if canary is None or canary.mode is CanaryMode.ALL_SESSIONS:
        return
    if balancer.affinity is not Affinity.SESSION:
        yield Broken(
            ("canary", "mode"),
            f"NEW_SESSIONS reads a session's birth from its id and needs SESSION affinity (got "
            f"{balancer.affinity}); use ALL_SESSIONS",
        )


def _idle_connections(balancer: "Balancer") -> Iterator[Broken]:
    if balancer.keep_alive.idle >= balancer.process.keep_alive:
        yield Broken(
            ("keep_alive", "idle"),
            f"must be below KATO's own {balancer.process.keep_alive:g} s (got "
            f"{balancer.keep_alive.idle:g}): KATO closes idle connections then, and a POST sent "
            "at that moment fails with 502; use 4",
        )


def _connection_budget(balancer: "Balancer") -> Iterator[Broken]:
    budget = request_budget(balancer)
    wanted = balancer.limits.requests
    sum_of_it = (
        f"of KATO's {balancer.process.connection_limit} connections, {balancer.limits.reserve + 1} "
        f"are left to health checks, and each of {balancer.limits.balancers} balancer(s) may hold "
        f"{idle_connections(balancer)} idle ones and {balancer.limits.websockets} WebSockets"
    )
    if wanted is not None and wanted > budget:
        yield Broken(
            ("limits", "requests"),
            f"must be at most {budget} (got {wanted}): {sum_of_it}; lower it, or raise "
            "process.connection_limit",
        )
    elif budget < 1:
        yield Broken(
            ("limits",),
            f"leave no connection for requests: {sum_of_it}; raise process.connection_limit or "
            "lower keep_alive.connections, limits.workers or limits.websockets",
        )


def _retries(balancer: "Balancer") -> Iterator[Broken]:
    connects = balancer.timeouts.connect * balancer.retry.tries
    if connects > balancer.retry.window:
        yield Broken(
            ("retry", "window"),
            f"must cover {balancer.retry.tries} tries of {balancer.timeouts.connect:g} s to "
            f"connect (got {balancer.retry.window:g}); raise it to {connects:g} or more",
        )
    if balancer.retry.window > balancer.timeouts.read:
        yield Broken(
            ("retry", "window"),
            f"must not exceed timeouts.read of {balancer.timeouts.read:g} s (got "
            f"{balancer.retry.window:g})",
        )


def _sessions_remembered(balancer: "Balancer") -> Iterator[Broken]:
    if balancer.learned is None:
        return
    if balancer.affinity is not Affinity.SESSION:
        yield Broken(
            ("learned",),
            f"needs SESSION affinity (got {balancer.affinity}); remove it or change affinity",
        )
    elif balancer.learned.timeout < balancer.process.session_ttl:
        yield Broken(
            ("learned", "timeout"),
            f"must be at least KATO's session life of {balancer.process.session_ttl} s (got "
            f"{balancer.learned.timeout:g}): a live session that is forgotten moves",
        )


def _only_with_their_affinity(balancer: "Balancer") -> Iterator[Broken]:
    if balancer.cookie is not None and balancer.affinity is not Affinity.COOKIE:
        yield Broken(
            ("cookie",),
            f"is used only with COOKIE affinity (got {balancer.affinity}); "
            "remove it or change affinity",
        )
    elif (
        balancer.cookie is not None
        and balancer.cookie.same_site is SameSite.NONE
        and balancer.tls is None
    ):
        yield Broken(
            ("cookie", "same_site"),
            "must not be none without tls: browsers drop such a cookie; use lax or add tls",
        )


def _ports(balancer: "Balancer") -> Iterator[Broken]:
    if balancer.listener.port == balancer.listener.private_port:
        yield Broken(
            ("listener", "private_port"),
            f"must differ from listener.port ({balancer.listener.port}), which is public",
        )
