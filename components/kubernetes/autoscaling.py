"""The autoscaler of KATO's tier; it owns the number of replicas."""

from collections.abc import Sequence
from typing import Annotated, NotRequired, Self, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pydantic import Field, model_validator

from kato_balancing.fields import Frozen, ListOf, refused_at

from ..kato_inputs import Replicas
from .kato_tier import TIER
from .labels import Labels
from .pods import metadata

_OUT_PERIOD_SECONDS = 15
"""The autoscaler's own period: it may double the replicas each time."""

_IN_PERIOD_SECONDS = 60


class PodsMetric(TypedDict):
    """A figure per replica from the cluster's custom metrics API, such as requests in flight."""

    name: str
    """The metric's name."""
    target: float
    """Average over the replicas that is aimed at."""


class Autoscaling(TypedDict):
    """When replicas are added and removed. Every step moves the sessions of one replica's share,
    so scaling in is slow."""

    min_replicas: NotRequired[int]
    """Defaults to 3."""
    max_replicas: NotRequired[int]
    """Defaults to 10."""
    cpu_percent: NotRequired[int]
    """Processor use that is aimed at, in percent of what the containers request. Defaults to
    70."""
    memory_percent: NotRequired[int]
    """Memory use that is aimed at, in percent of what the containers request. KATO's memory hardly
    falls when load does, so this scales out and never in again. Defaults to none."""
    metrics: NotRequired[Sequence[PodsMetric]]
    """More figures; the one that asks for most replicas wins. Defaults to none."""
    scale_in_seconds: NotRequired[int]
    """The load must have been lower for this long before replicas are removed, 0 to 3600. Defaults
    to 300."""


_Percent = Annotated[int, Field(ge=1, le=1000)]


class _Metric(Frozen):
    name: Annotated[str, Field(min_length=1, max_length=253)]
    target: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class AutoscalingInputs(Frozen):
    """``Autoscaling`` with its defaults."""

    min_replicas: Replicas = 3
    max_replicas: Replicas = 10
    cpu_percent: _Percent = 70
    memory_percent: _Percent | None = None
    metrics: Annotated[tuple[_Metric, ...], ListOf] = ()
    scale_in_seconds: Annotated[int, Field(ge=0, le=3600)] = 300

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        rules = []
        if self.min_replicas < 2:
            rule = f"must be at least 2 (got {self.min_replicas}): one replica is no reserve"
            rules.append((("min_replicas",), rule))
        if self.max_replicas <= self.min_replicas:
            rule = (
                f"must be above min_replicas, {self.min_replicas} (got {self.max_replicas}); "
                "for a fixed number leave autoscaling out and give replicas"
            )
            rules.append((("max_replicas",), rule))
        if rules:
            raise refused_at("Autoscaling", rules)
        return self


def autoscaler(
    name: str,
    inputs: AutoscalingInputs,
    *,
    workload: pulumi.Resource,
    labels: Labels,
    namespace: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> k8s.autoscaling.v2.HorizontalPodAutoscaler:
    """Declare the autoscaler of KATO's workload of this name."""
    kind = "StatefulSet" if isinstance(workload, k8s.apps.v1.StatefulSet) else "Deployment"
    return k8s.autoscaling.v2.HorizontalPodAutoscaler(
        name,
        metadata=metadata(labels, TIER, namespace, name),
        spec=k8s.autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
            scale_target_ref=k8s.autoscaling.v2.CrossVersionObjectReferenceArgs(
                api_version="apps/v1", kind=kind, name=name
            ),
            min_replicas=inputs.min_replicas,
            max_replicas=inputs.max_replicas,
            metrics=_metrics(inputs),
            behavior=k8s.autoscaling.v2.HorizontalPodAutoscalerBehaviorArgs(
                scale_up=k8s.autoscaling.v2.HPAScalingRulesArgs(
                    stabilization_window_seconds=0,
                    select_policy="Max",
                    policies=[_step("Percent", 100, _OUT_PERIOD_SECONDS)],
                ),
                scale_down=k8s.autoscaling.v2.HPAScalingRulesArgs(
                    stabilization_window_seconds=inputs.scale_in_seconds,
                    select_policy="Max",
                    policies=[_step("Pods", 1, _IN_PERIOD_SECONDS)],
                ),
            ),
        ),
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[workload])),
    )


def _step(kind: str, value: int, seconds: int) -> k8s.autoscaling.v2.HPAScalingPolicyArgs:
    return k8s.autoscaling.v2.HPAScalingPolicyArgs(type=kind, value=value, period_seconds=seconds)


def _metrics(inputs: AutoscalingInputs) -> list[k8s.autoscaling.v2.MetricSpecArgs]:
    percents = {"cpu": inputs.cpu_percent, "memory": inputs.memory_percent}
    return [
        *(
            k8s.autoscaling.v2.MetricSpecArgs(
                type="Resource",
                resource=k8s.autoscaling.v2.ResourceMetricSourceArgs(
                    name=resource,
                    target=k8s.autoscaling.v2.MetricTargetArgs(
                        type="Utilization", average_utilization=percent
                    ),
                ),
            )
            for resource, percent in percents.items()
            if percent is not None
        ),
        *(
            k8s.autoscaling.v2.MetricSpecArgs(
                type="Pods",
                pods=k8s.autoscaling.v2.PodsMetricSourceArgs(
                    metric=k8s.autoscaling.v2.MetricIdentifierArgs(name=metric.name),
                    target=k8s.autoscaling.v2.MetricTargetArgs(
                        type="AverageValue", average_value=f"{round(metric.target * 1000)}m"
                    ),
                ),
            )
            for metric in inputs.metrics
        ),
    ]
