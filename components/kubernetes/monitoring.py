"""Figures of the stack in a cluster: the exporter beside every balancer, Redis' own, and what an
operator of Prometheus (monitoring.coreos.com) needs to find them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, Self, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pydantic import model_validator

from kato_balancing import haproxy, kato
from kato_balancing.fields import Frozen, ImageReference, refused_at
from kato_balancing.monitoring import rules
from kato_balancing.monitoring.exporter.server_names import NamedServer
from kato_balancing.monitoring.panels import BALANCER_JOB, EXPORTER_JOB, KATO_JOB, REDIS_JOB

from .. import log_exporter, redis_exporter
from . import kato_tier
from . import redis_exporter as redis_figures
from .labels import Labels
from .pods import SCRATCH, metadata
from .resources import Resources

PORT_NAME = "metrics"
VOLUME = "log"

_API = "monitoring.coreos.com/v1"
_SCRAPE_SECONDS = 15
_RESOURCES = Resources().or_else(cpu=0.05, memory_megabytes=64)

# A container that is not running takes its pod out of service: the shell stays, whatever becomes of
# the exporter, and no probe asks it.
_RUN = """
trap 'kill $child; exit 0' TERM INT
while :; do
  python3 -m kato_balancing.cli export "$@" & child=$!
  wait $child
  sleep 1 & child=$!
  wait $child
done
"""


class ClusterMonitoring(TypedDict):
    """Figures of the balancer for a Prometheus that is there already."""

    exporter_image: NotRequired[str]
    """Image of 'kato-lb export', built from stage kato-exporter of dev/images/Dockerfile. Defaults
    to kato-lb/kato-exporter:0.1.0."""
    redis_exporter_image: NotRequired[str]
    """Image of the Redis exporter. Defaults to oliver006/redis_exporter:v1.74.0-alpine."""
    monitors: NotRequired[bool]
    """Create PodMonitor and PrometheusRule objects: the cluster needs the Prometheus operator.
    Defaults to false."""
    labels: NotRequired[Mapping[str, str]]
    """Labels on these objects, by which the operator selects them, such as release:
    kube-prometheus-stack. Defaults to none."""


class MonitoringInputs(Frozen):
    """``ClusterMonitoring`` with its defaults."""

    exporter_image: ImageReference = log_exporter.IMAGE
    redis_exporter_image: ImageReference = redis_exporter.IMAGE
    monitors: bool = False
    labels: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _labels_on_monitors(self) -> Self:
        if self.labels and not self.monitors:
            rule = "has no effect without monitors, whose labels they are; remove it"
            raise refused_at("Monitoring", [(("labels",), rule)])
        return self


@dataclass(frozen=True, kw_only=True)
class LogExporter:
    """What the balancer's pods need for their exporter."""

    inputs: MonitoringInputs
    proxy: str
    connection_limit: int
    servers: pulumi.Output[list[NamedServer]]

    def container(self) -> k8s.core.v1.ContainerArgs:
        """The exporter, started before the balancer and ended after it."""
        words = self.servers.apply(
            lambda known: log_exporter.arguments(
                proxy=self.proxy,
                balancer="127.0.0.1",
                connection_limit=self.connection_limit,
                servers=known,
            )
        )
        return k8s.core.v1.ContainerArgs(
            name="log-exporter",
            image=self.inputs.exporter_image,
            image_pull_policy="IfNotPresent",
            command=["sh", "-c", _RUN, "log-exporter"],
            args=words,
            restart_policy="Always",
            ports=[
                k8s.core.v1.ContainerPortArgs(
                    name=PORT_NAME, container_port=log_exporter.PORT, protocol="TCP"
                )
            ],
            resources=_RESOURCES.args(),
            volume_mounts=[
                k8s.core.v1.VolumeMountArgs(name="scratch", mount_path=SCRATCH),
                k8s.core.v1.VolumeMountArgs(name=VOLUME, mount_path=log_exporter.FOLDER),
            ],
            security_context=k8s.core.v1.SecurityContextArgs(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
            ),
        )

    def volume(self) -> k8s.core.v1.VolumeArgs:
        """The folder of its socket, shared with the balancer."""
        return k8s.core.v1.VolumeArgs(
            name=VOLUME,
            empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs(medium="Memory", size_limit="1Mi"),
        )


def monitors(
    name: str,
    inputs: MonitoringInputs,
    *,
    proxy: str,
    balancer_tier: str,
    balancer_private_port: str,
    replica_tiers: Mapping[str, str],
    labels: Labels,
    namespace: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> None:
    """Declare what the Prometheus operator scrapes and which rules it loads. ``replica_tiers``:
    name of the workload → tier of its pods, for everything that runs KATO."""
    selected = Labels(labels.instance, {**labels.more, **inputs.labels})
    where: Any = {"labels": selected, "namespace": namespace, "child": child}
    balancer = [_endpoint(PORT_NAME, log_exporter.METRICS_PATH, EXPORTER_JOB)]
    if proxy == "haproxy":
        balancer.append(_endpoint(balancer_private_port, haproxy.METRICS_PATH, BALANCER_JOB))
    _pod_monitor(f"{name}-balancer", balancer_tier, balancer, **where)
    replica = _endpoint(kato_tier.PORT_NAME, kato.PROMETHEUS_PATH, KATO_JOB)
    replica["relabelings"].append(
        {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "server"}
    )
    for workload, tier in replica_tiers.items():
        _pod_monitor(f"{workload}-replicas", tier, [replica], **where)
    redis = _endpoint(redis_figures.PORT_NAME, redis_exporter.METRICS_PATH, REDIS_JOB)
    _pod_monitor(f"{name}-redis", redis_figures.TIER, [redis], **where)
    _object(f"{name}-rules", "PrometheusRule", balancer_tier, {"groups": rules.groups()}, **where)


def _endpoint(port: str, path: str, job: str) -> dict[str, Any]:
    return {
        "port": port,
        "path": path,
        "interval": f"{_SCRAPE_SECONDS}s",
        # The panels and alerts know the jobs by their own names.
        "relabelings": [{"targetLabel": "job", "replacement": job}],
    }


def _pod_monitor(
    name: str, tier: str, endpoints: Sequence[Mapping[str, Any]], *, labels: Labels, **where: Any
) -> None:
    spec = {
        "selector": {"matchLabels": labels.select(tier)},
        "podMetricsEndpoints": list(endpoints),
    }
    _object(name, "PodMonitor", tier, spec, labels=labels, **where)


def _object(
    name: str,
    kind: str,
    tier: str,
    spec: Mapping[str, Any],
    *,
    labels: Labels,
    namespace: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> None:
    k8s.apiextensions.CustomResource(
        name,
        api_version=_API,
        kind=kind,
        metadata=metadata(labels, tier, namespace, name),
        spec=dict(spec),
        opts=child,
    )
