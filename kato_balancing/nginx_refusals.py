"""What nginx, or a version of it, can't do: refused by the setting's path, with the cure."""

import math
from collections.abc import Callable, Iterator

from kato_balancing.fields import Affinity
from kato_balancing.model import Balancer
from kato_balancing.targets import Feature, UnsupportedFeature, Version, show

OLDEST: Version = (1, 22, 0)
"""Oldest nginx that is rendered for."""

RESOLVE = Feature("looking a server's name up again while running", (1, 27, 3))
KEEP_ALIVE_MINIMUM = Feature("keeping idle clients during a reload", (1, 27, 4))
STICKY = Feature("cookies and learned sessions in the open-source edition", (1, 29, 6))

_Refusal = tuple[str, str]


def refuse(balancer: Balancer, version: Version) -> None:
    """Raise UnsupportedFeature for the first setting that can't be rendered."""
    for refusal in everything(balancer, version):
        raise refusal


def everything(balancer: Balancer, version: Version) -> list[UnsupportedFeature]:
    """All refusals, for a report that names every one."""
    return [
        UnsupportedFeature(path, message)
        for check in _CHECKS
        for path, message in check(balancer, version)
    ]


def _version(_: Balancer, version: Version) -> Iterator[_Refusal]:
    if version < OLDEST:
        yield "version", f"nginx {show(version)} is not supported; use {show(OLDEST)} or newer"


def _names(balancer: Balancer, version: Version) -> Iterator[_Refusal]:
    pools = {"pool": balancer.pool}
    if balancer.canary is not None:
        pools["canary.pool"] = balancer.canary.pool
    if balancer.resolver is not None and version < RESOLVE.since:
        yield (
            "resolver",
            f"nginx {show(version)} looks names up only when it starts; use "
            f"{show(RESOLVE.since)} or newer, or leave resolver out and give addresses",
        )
    if balancer.resolver is not None and balancer.resolver.address is None:
        yield "resolver.address", "is required: nginx does not read the machine's resolv.conf"
    if balancer.resolver is not None and balancer.resolver.forget is not None:
        yield "resolver.forget", "nginx forgets a name with the next answer; leave it out"
    for path, pool in pools.items():
        if pool.discovery is None:
            continue
        if balancer.resolver is None:
            yield "resolver", f"is required with {path}.discovery: somebody has to answer the names"
        if balancer.affinity is Affinity.COOKIE:
            yield (
                f"{path}.discovery",
                "has no stable names to make cookies of; list the servers, or use SESSION",
            )


def _idle_clients(balancer: Balancer, version: Version) -> Iterator[_Refusal]:
    if balancer.drain.keep_alive is not None and version < KEEP_ALIVE_MINIMUM.since:
        yield (
            "drain.keep_alive",
            f"nginx {show(version)} cuts idle clients at a reload; use "
            f"{show(KEEP_ALIVE_MINIMUM.since)} or newer, or leave it out",
        )


def _sticky(balancer: Balancer, version: Version) -> Iterator[_Refusal]:
    cure = f"use nginx {show(STICKY.since)} or newer, or HAProxy"
    if balancer.affinity is Affinity.COOKIE and version < STICKY.since:
        yield "affinity", f"nginx {show(version)} has no cookies of its own; {cure}, or SESSION"
    if balancer.learned is None:
        return
    if version < STICKY.since:
        yield "learned", f"nginx {show(version)} learns no sessions; {cure}, or leave it out"
    elif balancer.limits.balancers > 1:
        yield (
            "learned",
            "the table lives in one nginx, and two that learned differently send one session to "
            "two servers; leave it out, the hash alone agrees on all of them",
        )


def _canary(balancer: Balancer, _: Version) -> Iterator[_Refusal]:
    if balancer.canary is None:
        return
    if balancer.affinity is Affinity.COOKIE:
        yield (
            "canary",
            "takes sessions by their id, and cookies tie clients to servers: the two disagree; "
            "use SESSION affinity",
        )
    shares = {"canary.share": balancer.canary.share}
    for number, step in enumerate(balancer.canary.earlier):
        shares[f"canary.earlier[{number}].share"] = step.share
    for path, share in shares.items():
        near = round(share, 2)
        if not math.isclose(share, near):
            yield path, f"nginx takes hundredths of a percent; use {near or 0.01:g} (got {share:g})"


def _probes(balancer: Balancer, _: Version) -> Iterator[_Refusal]:
    if balancer.health.active is not None:
        yield (
            "health.active",
            "nginx's open-source edition does not probe servers; leave it out (failures seen "
            "while serving count, see health.passive) or use HAProxy",
        )


_CHECKS: tuple[Callable[[Balancer, Version], Iterator[_Refusal]], ...] = (
    _version,
    _names,
    _idle_clients,
    _sticky,
    _canary,
    _probes,
)
