"""What HAProxy, or a version of it, can't do: refused by the setting's path, with the cure."""

from collections.abc import Callable, Iterator

from kato_balancing import invariants
from kato_balancing.fields import Affinity
from kato_balancing.hosts import is_address
from kato_balancing.model import Balancer, PassiveHealth, Timeouts
from kato_balancing.targets import Feature, UnsupportedFeature, Version, show

OLDEST: Version = (2, 6, 0)
"""Oldest HAProxy that is rendered for."""

STORE = Feature("a key in a file of any name", (3, 0, 0))
RING_BY_ADDRESS = Feature("a ring that is keyed by the servers' addresses", (3, 0, 0))
TABLE_OVER_RELOAD = Feature("a table that outlives a reload", (3, 2, 0))
"""Seen on 3.2 (0 of 2,000 sessions moved); on 2.6 the table is empty after a reload."""
QUIET_LOOKUP = Feature("a name that is not known yet without a warning", (3, 2, 0))
FULLY_UP = Feature("a server that starts with no failed probe against it", (3, 1, 0))
"""Seen on 3.2: without it the first failed probe after a start or a reload takes a server away,
whatever ``fall`` says, and its sessions move; with it 0 of 3 single slow probes did."""

_Refusal = tuple[str, str]


def refuse(balancer: Balancer, version: Version) -> None:
    """Raise UnsupportedFeature for the first setting that can't be rendered."""
    for check in _CHECKS:
        for path, message in check(balancer, version):
            raise UnsupportedFeature(path, message)


def everything(balancer: Balancer, version: Version) -> list[UnsupportedFeature]:
    """All refusals, for a report that names every one."""
    return [
        UnsupportedFeature(path, message)
        for check in _CHECKS
        for path, message in check(balancer, version)
    ]


def key_beside_certificate(certificate: str) -> tuple[str, ...]:
    """Where every version looks for the key: in the certificate's file, or beside it."""
    beside = (certificate, certificate + ".key")
    if certificate.endswith(".crt"):
        return (*beside, certificate.removesuffix(".crt") + ".key")
    return beside


def _version(_: Balancer, version: Version) -> Iterator[_Refusal]:
    if version < OLDEST:
        yield (
            "version",
            f"HAProxy {show(version)} is not supported; use {show(OLDEST)} or newer",
        )


def _learned(balancer: Balancer, version: Version) -> Iterator[_Refusal]:
    if balancer.learned is None:
        return
    if version < TABLE_OVER_RELOAD.since:
        yield (
            "learned",
            f"HAProxy {show(version)} loses the table at a reload; use "
            f"{show(TABLE_OVER_RELOAD.since)} or newer, or leave it out",
        )
    if balancer.limits.balancers > 1:
        yield (
            "learned",
            f"is one balancer's own table, and there are {balancer.limits.balancers}: two that "
            "learned differently send one session to two servers; leave it out, the hash alone "
            "is the same in all",
        )


def _discovery(balancer: Balancer, version: Version) -> Iterator[_Refusal]:
    pools = {"pool": balancer.pool}
    if balancer.canary is not None:
        pools["canary.pool"] = balancer.canary.pool
    for path, pool in pools.items():
        if pool.discovery is None:
            continue
        if balancer.resolver is None:
            yield f"{path}.discovery", "needs resolver.address, the DNS server to ask"
        if balancer.affinity is Affinity.COOKIE:
            yield (
                f"{path}.discovery",
                "has no stable names to make cookies of; list the servers, or use SESSION",
            )
        if _hashes(balancer) and version < RING_BY_ADDRESS.since:
            yield (
                f"{path}.discovery",
                f"HAProxy {show(version)} hashes on the order in which servers were found; use "
                f"{show(RING_BY_ADDRESS.since)} or newer, or list the servers",
            )


def _resolver(balancer: Balancer, _: Version) -> Iterator[_Refusal]:
    address = None if balancer.resolver is None else balancer.resolver.address
    if address is not None and not is_address(address):
        yield (
            "resolver.address",
            "HAProxy needs the DNS server's IP address, not its name; give the address, or none "
            "for the machine's own",
        )


def _canary(balancer: Balancer, _: Version) -> Iterator[_Refusal]:
    if balancer.canary is not None and balancer.affinity is Affinity.COOKIE:
        yield (
            "canary",
            "takes sessions by their id, and cookies tie clients to servers: the two disagree; "
            "use SESSION affinity",
        )


def _tls(balancer: Balancer, version: Version) -> Iterator[_Refusal]:
    tls = balancer.tls
    if tls is None or version >= STORE.since:
        return
    known = key_beside_certificate(tls.certificate)
    if tls.key not in known:
        yield (
            "tls.key",
            f"HAProxy {show(version)} reads the key from {' or '.join(known)} only; put it there, "
            f"or use {show(STORE.since)} or newer",
        )


def _numbers(balancer: Balancer, _: Version) -> Iterator[_Refusal]:
    if balancer.timeouts.send != Timeouts().send:
        yield (
            "timeouts.send",
            "HAProxy has one time for both directions, timeouts.read; leave it out",
        )
    if balancer.health.passive.window != PassiveHealth().window:
        yield (
            "health.passive.window",
            "HAProxy counts failures in a row and takes a server back when its probes pass, see "
            "health.active; leave it out",
        )
    idle = balancer.drain.keep_alive
    if idle is not None and idle > balancer.drain.seconds:
        yield (
            "drain.keep_alive",
            f"must be at most drain.seconds, {balancer.drain.seconds:g} s (got "
            f"{idle:g}): HAProxy closes all connections then",
        )
    if invariants.spreads_apart(balancer) and requests(balancer) < 2:
        yield (
            "limits.requests",
            "must be at least 2 with LEAST_CONNECTIONS: requests with and without a session have "
            "a share each",
        )


def requests(balancer: Balancer) -> int:
    """Requests in flight that one server may have from this balancer."""
    return balancer.limits.requests or invariants.request_budget(balancer)


def _hashes(balancer: Balancer) -> bool:
    return balancer.affinity in (Affinity.SESSION, Affinity.CLIENT_IP)


_CHECKS: tuple[Callable[[Balancer, Version], Iterator[_Refusal]], ...] = (
    _version,
    _learned,
    _discovery,
    _resolver,
    _canary,
    _tls,
    _numbers,
)
