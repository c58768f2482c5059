"""A store that keeps its data on a volume: one pod, replaced only after it has ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import pulumi
import pulumi_kubernetes as k8s
from pydantic import Field

from kato_balancing.fields import Frozen

from ..inputs import Text
from .labels import Labels
from .pods import REVISIONS_KEPT, Program, metadata, pod_template

Gigabytes = Annotated[int, Field(ge=1, le=65_536)]


class Volume(Frozen):
    """Where a store's data lies."""

    storage_gigabytes: Gigabytes = 10
    storage_class: Text | None = None
    keep_data: bool = False


@dataclass(frozen=True)
class Store:
    """A store that runs in the cluster."""

    host: pulumi.Output[str]
    """Name that its pods answer to; known once it is ready."""
    ready: k8s.apps.v1.StatefulSet


def store(
    name: str,
    labels: Labels,
    program: Program,
    *,
    namespace: pulumi.Input[str],
    domain: str,
    volume: Volume,
    child: pulumi.ResourceOptions,
) -> Store:
    """Declare a StatefulSet of one pod with its volume, and the Service in front of it. The
    program mounts the volume ``data``."""
    tier = program.tier
    selector = labels.select(tier)
    running = k8s.apps.v1.StatefulSet(
        name,
        metadata=metadata(labels, tier, namespace, name),
        spec=k8s.apps.v1.StatefulSetSpecArgs(
            service_name=name,
            replicas=1,
            revision_history_limit=REVISIONS_KEPT,
            selector=k8s.meta.v1.LabelSelectorArgs(match_labels=selector),
            template=pod_template(labels, program),
            update_strategy=k8s.apps.v1.StatefulSetUpdateStrategyArgs(type="RollingUpdate"),
            persistent_volume_claim_retention_policy=k8s.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicyArgs(
                when_deleted="Retain" if volume.keep_data else "Delete", when_scaled="Retain"
            ),
            volume_claim_templates=[_claim(labels, tier, volume)],
        ),
        opts=child,
    )
    k8s.core.v1.Service(
        name,
        metadata=metadata(labels, tier, namespace, name),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="ClusterIP",
            selector=selector,
            ports=[
                k8s.core.v1.ServicePortArgs(
                    name=port, port=number, target_port=port, protocol="TCP"
                )
                for port, number in program.ports.items()
            ],
        ),
        opts=child,
    )
    host = pulumi.Output.all(running.id, namespace).apply(
        lambda known: f"{name}.{known[1]}.svc.{domain}"
    )
    return Store(host, running)


def _claim(labels: Labels, tier: str, volume: Volume) -> k8s.core.v1.PersistentVolumeClaimArgs:
    size: Mapping[str, str] = {"storage": f"{volume.storage_gigabytes}Gi"}
    return k8s.core.v1.PersistentVolumeClaimArgs(
        metadata=k8s.meta.v1.ObjectMetaArgs(name="data", labels=labels.select(tier)),
        spec=k8s.core.v1.PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteOnce"],
            storage_class_name=volume.storage_class,
            resources=k8s.core.v1.VolumeResourceRequirementsArgs(requests=size),
        ),
    )
