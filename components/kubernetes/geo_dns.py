"""The DNS tier: replicas of PowerDNS that answer by region, behind one Service."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from kato_balancing.geodns import GeoDns, powerdns

from .labels import Labels
from .pods import Probes, Program, deployment, disruption_budget, metadata, probe
from .resources import Resources

TIER = "geo-dns"

_FOLDER = "/etc/pdns-kato"
_DNS_PORT = 53
_RESOURCES = Resources(cpu=0.1, memory_megabytes=64, memory_limit_megabytes=128)
_PAUSE_SECONDS = 5
"""Before the server stops: by then every node sends questions to others."""
_GRACE_SECONDS = 15
_SETTLED_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class DnsTier:
    """What the DNS tier needs to know."""

    name: str
    dns: GeoDns
    image: str
    replicas: int


def dns_tier(
    tier: DnsTier,
    *,
    labels: Labels,
    namespace: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> k8s.core.v1.Service:
    """Declare the replicas, their disruption budget and the Service. Another zone is a new
    ConfigMap: the replicas are replaced one after another, each ready before the next."""
    files = k8s.core.v1.ConfigMap(
        tier.name,
        metadata=metadata(labels, TIER, namespace),
        immutable=True,
        data=powerdns.files(tier.dns, _FOLDER),
        opts=child,
    )
    disruption_budget(tier.name, labels, TIER, namespace, child)
    deployment(
        tier.name,
        labels,
        _program(tier, files.metadata.apply(lambda made: str(made.name))),
        namespace=namespace,
        replicas=tier.replicas,
        settled_seconds=_SETTLED_SECONDS,
        opts=child,
    )
    return k8s.core.v1.Service(
        tier.name,
        metadata=metadata(labels, TIER, namespace, tier.name),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="LoadBalancer",
            selector=labels.select(TIER),
            ports=[
                k8s.core.v1.ServicePortArgs(
                    name=f"dns-{protocol.lower()}",
                    port=_DNS_PORT,
                    target_port=powerdns.PORT,
                    protocol=protocol,
                )
                for protocol in ("UDP", "TCP")
            ],
            # The resolver's own address arrives: it counts where it names no client subnet.
            external_traffic_policy="Local",
        ),
        opts=child,
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
        pause_seconds=_PAUSE_SECONDS,
        grace_seconds=_GRACE_SECONDS,
        volumes=[
            k8s.core.v1.VolumeArgs(
                name="files", config_map=k8s.core.v1.ConfigMapVolumeSourceArgs(name=files)
            )
        ],
        mounts={_FOLDER: "files"},
        revision_label="pod-template-hash",
    )
