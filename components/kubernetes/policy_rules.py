"""Network policies, declared in one way: who is selected, from whom, to whom, at which ports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from .labels import Labels
from .pods import metadata

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Label that every namespace has: its name."""

Peer = k8s.networking.v1.NetworkPolicyPeerArgs
Peers = Sequence[Peer]


@dataclass(frozen=True)
class Policies:
    """The policies of one component's pods."""

    name: str
    labels: Labels
    namespace: pulumi.Input[str]
    child: pulumi.ResourceOptions

    def pods(self, tier: str) -> Peer:
        """The tier's pods, in the policies' own namespace."""
        return Peer(pod_selector=self._selector(tier))

    def refuse_everything(self) -> None:
        """Declare that no pod of any tier may send or receive; the other policies add to it."""
        self.allow("default-deny", None)

    def allow(
        self,
        ending: str,
        tier: str | None,
        *,
        ingress: Sequence[k8s.networking.v1.NetworkPolicyIngressRuleArgs] | None = None,
        egress: Sequence[k8s.networking.v1.NetworkPolicyEgressRuleArgs] | None = None,
    ) -> None:
        """Declare a policy. ``tier`` None: the pods of every tier. No rules for either direction:
        both refused."""
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


def namespace_peer(name: str) -> Peer:
    """Every pod of the namespace of this name."""
    return Peer(
        namespace_selector=k8s.meta.v1.LabelSelectorArgs(match_labels={NAMESPACE_NAME: name})
    )


def anywhere(labels: Mapping[str, str]) -> Peer:
    """Pods with these labels in every namespace."""
    return Peer(
        namespace_selector=k8s.meta.v1.LabelSelectorArgs(),
        pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels=dict(labels)),
    )


def received_from(
    peers: Peers | None, ports: Sequence[int], protocols: Sequence[str] = ("TCP",)
) -> k8s.networking.v1.NetworkPolicyIngressRuleArgs:
    """What may arrive. ``peers`` None: from everywhere. No ports: at every port."""
    return k8s.networking.v1.NetworkPolicyIngressRuleArgs(
        from_=peers, ports=_ports(ports, protocols)
    )


def sent_to(
    peers: Peers | None, ports: Sequence[int], protocols: Sequence[str] = ("TCP",)
) -> k8s.networking.v1.NetworkPolicyEgressRuleArgs:
    """What may leave. ``peers`` None: to everywhere. No ports: to every port."""
    return k8s.networking.v1.NetworkPolicyEgressRuleArgs(to=peers, ports=_ports(ports, protocols))


def _ports(ports: Sequence[int], protocols: Sequence[str]) -> Any:
    return [
        k8s.networking.v1.NetworkPolicyPortArgs(port=port, protocol=protocol)
        for port in ports
        for protocol in protocols
    ] or None
