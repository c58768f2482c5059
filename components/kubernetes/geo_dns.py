"""The DNS tier: replicas of PowerDNS that answer by region, behind one Service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s

from kato_balancing.fields import Frozen, ListOf, Port, choice
from kato_balancing.geodns import GeoDns, powerdns

from . import balancer_tier
from .exposure import assigned_addresses
from .labels import COMPONENT, NAME, PRODUCT, Labels
from .pods import NOTICE_SECONDS, Probes, Program, deployment, disruption_budget, metadata, probe
from .policy_rules import Policies, anywhere, received_from, sent_to
from .resources import Resources

TIER = "geo-dns"

_FOLDER = "/etc/pdns-kato"
_DNS_PORT = 53
_PROTOCOLS = ("UDP", "TCP")
_RESOURCES = Resources(cpu=0.1, memory_megabytes=64, memory_limit_megabytes=128)
_STOP_SECONDS = 10
_SETTLED_SECONDS = 5


class ServiceKind(StrEnum):
    """Ways by which resolvers reach the servers."""

    LOAD_BALANCER = "LOAD_BALANCER"
    """An address that the cluster's provider gives."""
    CLUSTER_IP = "CLUSTER_IP"
    """An address inside the cluster."""


class DnsService(TypedDict):
    """The Service by which resolvers reach the servers, at port 53 by UDP and TCP."""

    kind: NotRequired[str]
    """LOAD_BALANCER, or CLUSTER_IP where something of your own brings the questions into the
    cluster. Defaults to LOAD_BALANCER."""
    annotations: NotRequired[Mapping[str, str]]
    """On the Service, for the provider of its address: some need one for UDP and TCP together.
    Defaults to none."""


class DnsNetwork(TypedDict):
    """Who may talk to the DNS servers. Needs a network plugin that enforces policies."""

    policies: NotRequired[bool]
    """Defaults to true: questions come in from everywhere, checks go out to the ports of the
    health URLs, everything else is refused."""
    region_ports: NotRequired[Sequence[int]]
    """More ports at which checks may reach regions. A policy sees the port of the pod at which a
    connection ends, so it needs the Ingress controller's own (8443, say) where a region's address
    is this cluster's. The balancers of a KatoK8sStack are reached at any port. Defaults to none."""


class DnsServiceInputs(Frozen):
    """``DnsService`` with its defaults."""

    kind: Annotated[ServiceKind, choice(ServiceKind)] = ServiceKind.LOAD_BALANCER
    annotations: Mapping[str, str] = {}


class DnsNetworkInputs(Frozen):
    """``DnsNetwork`` with its defaults."""

    policies: bool = True
    region_ports: Annotated[tuple[Port, ...], ListOf] = ()


@dataclass(frozen=True, kw_only=True)
class DnsTier:
    """What the DNS tier needs to know."""

    name: str
    dns: GeoDns
    image: str
    replicas: int
    service: DnsServiceInputs
    network: DnsNetworkInputs


def dns_tier(
    tier: DnsTier,
    *,
    labels: Labels,
    namespace: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> k8s.core.v1.Service:
    """Declare the replicas, their disruption budget, network policies and the Service. Another
    zone is a new ConfigMap: the replicas are replaced one after another, each ready before the
    next."""
    files = k8s.core.v1.ConfigMap(
        tier.name,
        metadata=metadata(labels, TIER, namespace),
        immutable=True,
        data=powerdns.files(tier.dns, _FOLDER),
        opts=child,
    )
    disruption_budget(tier.name, labels, TIER, namespace, child)
    if tier.network.policies:
        _policies(tier, Policies(tier.name, labels, namespace, child))
    deployment(
        tier.name,
        labels,
        _program(tier, files.metadata.apply(lambda made: str(made.name))),
        namespace=namespace,
        replicas=tier.replicas,
        settled_seconds=_SETTLED_SECONDS,
        opts=child,
    )
    balanced = tier.service.kind is ServiceKind.LOAD_BALANCER
    return k8s.core.v1.Service(
        tier.name,
        metadata=metadata(labels, TIER, namespace, tier.name, tier.service.annotations),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="LoadBalancer" if balanced else "ClusterIP",
            selector=labels.select(TIER),
            ports=[
                k8s.core.v1.ServicePortArgs(
                    name=f"dns-{protocol.lower()}",
                    port=_DNS_PORT,
                    target_port=powerdns.PORT,
                    protocol=protocol,
                )
                for protocol in _PROTOCOLS
            ],
            # The resolver's own address arrives: it counts where it names no client subnet.
            external_traffic_policy="Local" if balanced else None,
        ),
        opts=child,
    )


def addresses(service: k8s.core.v1.Service, inputs: DnsServiceInputs) -> pulumi.Output[list[str]]:
    """Where the servers are asked."""
    if inputs.kind is ServiceKind.LOAD_BALANCER:
        return service.status.apply(assigned_addresses)
    return service.spec.apply(lambda known: [str(known.cluster_ip)])


def _policies(tier: DnsTier, declare: Policies) -> None:
    declare.refuse_everything()
    ours = {NAME: PRODUCT, COMPONENT: balancer_tier.TIER}
    declare.allow(
        TIER,
        TIER,
        ingress=[received_from(None, [powerdns.PORT], _PROTOCOLS)],
        # No way to a DNS server: PowerDNS connects to the regions' addresses and only says their
        # URLs' names.
        egress=[
            sent_to(None, sorted({*tier.dns.check_ports, *tier.network.region_ports})),
            sent_to([anywhere(ours)], []),
        ],
    )


def _program(tier: DnsTier, files: pulumi.Input[str]) -> Program:
    ready = ["sh", "-c", powerdns.ready(tier.dns)]
    alive = ["sh", "-c", powerdns.look_up(tier.dns)]
    return Program(
        tier=TIER,
        image=tier.image,
        resources=_RESOURCES,
        ports={"dns": powerdns.PORT},
        command=["sh", f"{_FOLDER}/{powerdns.START_FILE}"],
        probes=Probes(
            startup=probe(command=ready, period=1, timeout=2, failures=60),
            readiness=probe(command=ready, period=2, timeout=2, failures=2),
            liveness=probe(command=alive, period=10, timeout=5, failures=3),
        ),
        pause_seconds=NOTICE_SECONDS,
        grace_seconds=NOTICE_SECONDS + _STOP_SECONDS,
        volumes=[
            k8s.core.v1.VolumeArgs(
                name="files", config_map=k8s.core.v1.ConfigMapVolumeSourceArgs(name=files)
            )
        ],
        mounts={_FOLDER: "files"},
        revision_label="pod-template-hash",
    )
