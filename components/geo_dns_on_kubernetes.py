"""GeoDnsOnKubernetes: answers by region from a cluster, by its own DNS server or by others'."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, NotRequired, Optional, Self, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pydantic import Field, model_validator

from kato_balancing.fields import Frozen, ImageReference, ServerName, choice, refused_at
from kato_balancing.geodns import GeoDns, external

from .geo_dns_args import (
    IMAGE,
    BackupSettings,
    CheckSettings,
    ClientNetworkSettings,
    DnsRegion,
    split,
)
from .inputs import attributed
from .kubernetes.geo_dns import (
    TIER,
    DnsNetwork,
    DnsNetworkInputs,
    DnsService,
    DnsServiceInputs,
    DnsTier,
    addresses,
    dns_tier,
)
from .kubernetes.labels import Labels
from .kubernetes.object_names import require_name


class AnsweredBy(StrEnum):
    """Who answers."""

    POWERDNS = "POWERDNS"
    """PowerDNS in this cluster."""
    EXTERNAL_DNS = "EXTERNAL_DNS"
    """The provider that the cluster's ExternalDNS writes to."""
    K8GB = "K8GB"
    """The cluster's k8gb."""


class GeoDnsOnKubernetesArgs(TypedDict):
    """Inputs of GeoDnsOnKubernetes."""

    namespace: pulumi.Input[str]
    """Namespace of the objects; it must be there."""
    answered_by: NotRequired[str]
    """POWERDNS, or the cluster's EXTERNAL_DNS or K8GB, whose own rules then count instead of
    networks, checks and backup. Defaults to POWERDNS."""
    ingress: NotRequired[str]
    """With K8GB: name of the Ingress of this cluster's KATO. Defaults to none."""
    zone: str
    """Delegated to these DNS servers, such as kato.example.com."""
    record: NotRequired[str]
    """Name inside the zone. Defaults to "@": the zone itself."""
    name_servers: Sequence[str]
    """Names of the DNS servers, outside of the zone, as its parent has them."""
    ttl: NotRequired[int]
    """Seconds that clients stay with an answer. Defaults to 20."""
    regions: Sequence[DnsRegion]
    """A client that is in no network gets them in this order."""
    networks: NotRequired[Sequence[ClientNetworkSettings]]
    """Where clients are; the smallest network counts. Defaults to none."""
    backup: BackupSettings
    """The answer while no region serves."""
    draining: NotRequired[Sequence[str]]
    """Regions that get no new clients. Defaults to none."""
    checks: NotRequired[CheckSettings]
    """How the DNS server finds out which regions serve."""
    image: NotRequired[str]
    """Image of PowerDNS Authoritative 4.7 or newer. Defaults to powerdns/pdns-auth-50:5.0.0."""
    replicas: NotRequired[int]
    """DNS servers, at least 2. Defaults to 2."""
    service: NotRequired[DnsService]
    """How resolvers reach the servers."""
    network: NotRequired[DnsNetwork]
    """Who may talk to the servers."""
    labels: NotRequired[Mapping[str, str]]
    """Labels on every object and pod."""


_OF_SERVERS = ("image", "replicas", "service", "network")
"""Inputs that only servers of this component's own have."""


class _Inputs(Frozen):
    namespace: Any
    answered_by: Annotated[AnsweredBy, choice(AnsweredBy)] = AnsweredBy.POWERDNS
    ingress: ServerName | None = None
    image: ImageReference = IMAGE
    replicas: Annotated[int, Field(ge=2, le=20)] = 2
    service: DnsServiceInputs = DnsServiceInputs()
    network: DnsNetworkInputs = DnsNetworkInputs()
    labels: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _ingress_for_k8gb(self) -> Self:
        if (self.ingress is not None) != (self.answered_by is AnsweredBy.K8GB):
            rule = "is required with answered_by K8GB, and has no effect without"
            raise refused_at("GeoDnsOnKubernetes", [(("ingress",), rule)])
        return self

    @model_validator(mode="after")
    def _servers_for_powerdns(self) -> Self:
        if self.answered_by is not AnsweredBy.POWERDNS:
            rule = f"has no effect with answered_by {self.answered_by}: no server of this component"
            given = [name for name in _OF_SERVERS if name in self.model_fields_set]
            if given:
                found = [((name,), f"{rule} answers; remove it") for name in given]
                raise refused_at("GeoDnsOnKubernetes", found)
        return self


class GeoDnsOnKubernetes(pulumi.ComponentResource):
    """Answers by region from a cluster: PowerDNS as a Deployment behind a Service for UDP and TCP,
    or an object for the cluster's ExternalDNS or k8gb."""

    name: pulumi.Output[str]
    """The name that clients look up."""
    addresses: pulumi.Output[list[str]]
    """Where the servers are asked at port 53, for the parent zone's delegation: addresses, or
    names where the provider gives those. Empty with EXTERNAL_DNS and K8GB."""

    def __init__(
        self,
        name: str,
        args: GeoDnsOnKubernetesArgs,
        opts: Optional[pulumi.ResourceOptions] = None,
    ) -> None:
        attributed("", lambda: require_name(name))
        dns, inputs = check(args)
        super().__init__("kato:index:GeoDnsOnKubernetes", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = Labels(name, inputs.labels)
        if inputs.answered_by is AnsweredBy.POWERDNS:
            service = dns_tier(
                DnsTier(
                    name=name,
                    dns=dns,
                    image=inputs.image,
                    replicas=inputs.replicas,
                    service=inputs.service,
                    network=inputs.network,
                ),
                labels=labels,
                namespace=inputs.namespace,
                child=child,
            )
            self.addresses = addresses(service, inputs.service)
        else:
            _object(name, dns, inputs, labels, child)
            self.addresses = pulumi.Output.from_input([])
        self.name = pulumi.Output.from_input(dns.name)
        self.register_outputs({"name": self.name, "addresses": self.addresses})


def check(args: GeoDnsOnKubernetesArgs) -> tuple[GeoDns, _Inputs]:
    """The inputs with every default; raises InputPropertiesError when one is refused; creates
    nothing."""
    return split(args, _Inputs)


def _object(
    name: str, dns: GeoDns, inputs: _Inputs, labels: Labels, child: pulumi.ResourceOptions
) -> None:
    if inputs.ingress is not None:
        manifest = external.gslb(dns, name, ingress=inputs.ingress)
    else:
        manifest = external.dns_endpoint(dns, name)
    k8s.apiextensions.CustomResource(
        name,
        api_version=manifest["apiVersion"],
        kind=manifest["kind"],
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=name, namespace=inputs.namespace, labels=labels.of(TIER)
        ),
        spec=manifest["spec"],
        opts=child,
    )
