"""Who may talk to whom: nobody, but for the ways that a request takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NotRequired, TypedDict

import pulumi

from kato_balancing import kato
from kato_balancing.fields import Frozen, ListOf, ServerName

from . import redis_exporter, stores
from .kato_tier import TIER as KATO
from .labels import Labels
from .policy_rules import Peers, Policies, namespace_peer, received_from, sent_to

_DNS_PORT = 53


class NetworkSettings(TypedDict):
    """Who may talk to whom. Needs a network plugin that enforces policies."""

    policies: NotRequired[bool]
    """Defaults to true: everything that is not needed is refused."""
    client_namespaces: NotRequired[Sequence[str]]
    """Namespaces whose pods may reach the public port, an Ingress controller's for example.
    Defaults to none: everybody may, since traffic from outside has no namespace."""
    monitoring_namespace: NotRequired[str]
    """Namespace whose pods may read the balancer's figures. Defaults to "monitoring"."""


class NetworkInputs(Frozen):
    """``NetworkSettings`` with its defaults."""

    policies: bool = True
    client_namespaces: Annotated[tuple[ServerName, ...], ListOf] = ()
    monitoring_namespace: ServerName = "monitoring"


@dataclass(frozen=True, kw_only=True)
class Ways:
    """What the policies need to know from the rest of the stack."""

    replicas: Sequence[str] = (KATO,)
    """The tiers that run KATO."""
    front: str
    """The tier that clients reach: the balancer, or KATO itself."""
    front_port: int
    private_port: int | None
    """The balancer's figures and health."""
    figures_ports: Mapping[str, Sequence[int]]
    """More ports that Prometheus reads: tier → ports."""
    managed: Mapping[str, Sequence[int]]
    """Stores in the cluster: tier → ports."""
    outside_ports: Sequence[int | None]
    """Ports of stores elsewhere; None stands for one that is not known."""
    outside_redis: Sequence[int | None] = ()
    """Of these, Redis'; none when it runs in the cluster."""
    region_ports: Sequence[int] = ()
    """Ports at which the balancer itself asks other regions."""


def managed_ports(inputs: stores.StoreInputs) -> dict[str, Sequence[int]]:
    """Tier → ports of the stores that run in the cluster."""
    found: dict[str, Sequence[int]] = {}
    if inputs.redis.url is None:
        found[stores.REDIS] = [stores.REDIS_PORT]
    if inputs.clickhouse is not None and inputs.clickhouse.host is None:
        found[stores.CLICKHOUSE] = [stores.CLICKHOUSE_PORT, stores.CLICKHOUSE_NATIVE_PORT]
    if inputs.qdrant is not None and inputs.qdrant.host is None:
        found[stores.QDRANT] = [stores.QDRANT_PORT]
    return found


def network_policies(
    name: str,
    inputs: NetworkInputs,
    ways: Ways,
    *,
    labels: Labels,
    namespace: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> None:
    """Declare the policies: one that refuses everything, then one for each tier."""
    declare = Policies(name, labels, namespace, child)
    declare.refuse_everything()
    declare.allow(
        "dns",
        None,
        # Wherever the cluster's DNS runs: as pods, or on the node.
        egress=[sent_to(None, [_DNS_PORT], protocols=("UDP", "TCP"))],
    )
    front_rules = [received_from(_clients(inputs), [ways.front_port])]
    monitoring = [namespace_peer(inputs.monitoring_namespace)]
    if ways.private_port is not None:
        figures = [ways.private_port, *ways.figures_ports.get(ways.front, ())]
        front_rules.append(received_from(monitoring, figures))
    kato_egress = [
        *(sent_to([declare.pods(tier)], ports) for tier, ports in ways.managed.items()),
        *(sent_to(None, [] if port is None else [port]) for port in ways.outside_ports),
    ]
    if ways.front == KATO:
        declare.allow(KATO, KATO, ingress=front_rules, egress=kato_egress)
    else:
        onward = [sent_to([declare.pods(tier) for tier in ways.replicas], [kato.PORT])]
        if ways.region_ports:
            onward.append(sent_to(None, ways.region_ports))
        from_front = [received_from([declare.pods(ways.front)], [kato.PORT])]
        if KATO in ways.figures_ports:
            from_front.append(received_from(monitoring, ways.figures_ports[KATO]))
        declare.allow(ways.front, ways.front, ingress=front_rules, egress=onward)
        for tier in ways.replicas:
            declare.allow(tier, tier, ingress=from_front, egress=kato_egress)
    exporter = redis_exporter.TIER
    if exporter in ways.figures_ports:
        to_redis = [sent_to(None, [] if port is None else [port]) for port in ways.outside_redis]
        if stores.REDIS in ways.managed:
            to_redis = [sent_to([declare.pods(stores.REDIS)], ways.managed[stores.REDIS])]
        asked = [received_from(monitoring, ways.figures_ports[exporter])]
        declare.allow(exporter, exporter, ingress=asked, egress=to_redis)
    for tier, ports in ways.managed.items():
        users = [declare.pods(replica) for replica in ways.replicas]
        if tier == stores.CLICKHOUSE:
            users.append(declare.pods(stores.SCHEMA))
        if tier == stores.REDIS and exporter in ways.figures_ports:
            users.append(declare.pods(exporter))
        declare.allow(tier, tier, ingress=[received_from(users, ports)])
    if stores.CLICKHOUSE in ways.managed or stores.CLICKHOUSE_NATIVE_PORT in ways.outside_ports:
        inside = stores.CLICKHOUSE in ways.managed
        peers = [declare.pods(stores.CLICKHOUSE)] if inside else None
        declare.allow(
            stores.SCHEMA, stores.SCHEMA, egress=[sent_to(peers, [stores.CLICKHOUSE_NATIVE_PORT])]
        )


def _clients(inputs: NetworkInputs) -> Peers | None:
    return [namespace_peer(name) for name in inputs.client_namespaces] or None
