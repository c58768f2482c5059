"""Who may talk to whom: nobody, but for the ways that a request takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s

from kato_balancing import kato
from kato_balancing.fields import Frozen, ListOf, ServerName

from . import stores
from .kato_tier import TIER as KATO
from .labels import Labels
from .pods import metadata

_DNS_PORT = 53
_NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Label that every namespace has: its name."""


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


_Peers = Sequence[k8s.networking.v1.NetworkPolicyPeerArgs]


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
    declare = _Declaration(name, labels, namespace, child)
    declare.policy("default-deny", None)
    declare.policy(
        "dns",
        None,
        # Wherever the cluster's DNS runs: as pods, or on the node.
        egress=[_to(None, [_DNS_PORT], protocols=("UDP", "TCP"))],
    )
    front_rules = [_from(_clients(inputs), [ways.front_port])]
    monitoring = [_namespace(inputs.monitoring_namespace)]
    if ways.private_port is not None:
        figures = [ways.private_port, *ways.figures_ports.get(ways.front, ())]
        front_rules.append(_from(monitoring, figures))
    kato_egress = [
        *(_to([declare.pods(tier)], ports) for tier, ports in ways.managed.items()),
        *(_to(None, [] if port is None else [port]) for port in ways.outside_ports),
    ]
    if ways.front == KATO:
        declare.policy(KATO, KATO, ingress=front_rules, egress=kato_egress)
    else:
        to_kato = [_to([declare.pods(tier) for tier in ways.replicas], [kato.PORT])]
        from_front = [_from([declare.pods(ways.front)], [kato.PORT])]
        if KATO in ways.figures_ports:
            from_front.append(_from(monitoring, ways.figures_ports[KATO]))
        declare.policy(ways.front, ways.front, ingress=front_rules, egress=to_kato)
        for tier in ways.replicas:
            declare.policy(tier, tier, ingress=from_front, egress=kato_egress)
    for tier, ports in ways.managed.items():
        users = [declare.pods(replica) for replica in ways.replicas]
        if tier == stores.CLICKHOUSE:
            users.append(declare.pods(stores.SCHEMA))
        declare.policy(tier, tier, ingress=[_from(users, ports)])
    if stores.CLICKHOUSE in ways.managed or stores.CLICKHOUSE_NATIVE_PORT in ways.outside_ports:
        inside = stores.CLICKHOUSE in ways.managed
        peers = [declare.pods(stores.CLICKHOUSE)] if inside else None
        declare.policy(
            stores.SCHEMA, stores.SCHEMA, egress=[_to(peers, [stores.CLICKHOUSE_NATIVE_PORT])]
        )


@dataclass(frozen=True)
class _Declaration:
    name: str
    labels: Labels
    namespace: pulumi.Input[str]
    child: pulumi.ResourceOptions

    def pods(self, tier: str) -> k8s.networking.v1.NetworkPolicyPeerArgs:
        return k8s.networking.v1.NetworkPolicyPeerArgs(pod_selector=self._selector(tier))

    def policy(
        self,
        ending: str,
        tier: str | None,
        *,
        ingress: Sequence[k8s.networking.v1.NetworkPolicyIngressRuleArgs] | None = None,
        egress: Sequence[k8s.networking.v1.NetworkPolicyEgressRuleArgs] | None = None,
    ) -> None:
        """``tier`` None: the pods of every tier. No rules for either direction: both refused."""
        kinds = {"Ingress": ingress, "Egress": egress}
        k8s.networking.v1.NetworkPolicy(
            f"{self.name}-{ending}",
            metadata=metadata(
                self.labels, tier or "network", self.namespace, f"{self.name}-{ending}"
            ),
            spec=k8s.networking.v1.NetworkPolicySpecArgs(
                pod_selector=self._selector(tier),
                policy_types=[kind for kind, rules in kinds.items() if rules is not None]
                or list(kinds),
                ingress=list(ingress) if ingress is not None else None,
                egress=list(egress) if egress is not None else None,
            ),
            opts=self.child,
        )

    def _selector(self, tier: str | None) -> k8s.meta.v1.LabelSelectorArgs:
        chosen = self.labels.select_all() if tier is None else self.labels.select(tier)
        return k8s.meta.v1.LabelSelectorArgs(match_labels=chosen)


def _clients(inputs: NetworkInputs) -> _Peers | None:
    return [_namespace(name) for name in inputs.client_namespaces] or None


def _namespace(name: str) -> k8s.networking.v1.NetworkPolicyPeerArgs:
    selector = k8s.meta.v1.LabelSelectorArgs(match_labels={_NAMESPACE_NAME: name})
    return k8s.networking.v1.NetworkPolicyPeerArgs(namespace_selector=selector)


def _from(
    peers: _Peers | None, ports: Sequence[int]
) -> k8s.networking.v1.NetworkPolicyIngressRuleArgs:
    return k8s.networking.v1.NetworkPolicyIngressRuleArgs(from_=peers, ports=_ports(ports))


def _to(
    peers: _Peers | None, ports: Sequence[int], protocols: Sequence[str] = ("TCP",)
) -> k8s.networking.v1.NetworkPolicyEgressRuleArgs:
    return k8s.networking.v1.NetworkPolicyEgressRuleArgs(to=peers, ports=_ports(ports, protocols))


def _ports(ports: Sequence[int], protocols: Sequence[str] = ("TCP",)) -> Any:
    return [
        k8s.networking.v1.NetworkPolicyPortArgs(port=port, protocol=protocol)
        for port in ports
        for protocol in protocols
    ] or None
