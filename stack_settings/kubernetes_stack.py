"""The stack on Kubernetes: its settings as the component's arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s

from components import (
    KatoK8sStack,
    KatoK8sStackArgs,
    kato_k8s_stack,
    log_exporter,
    redis_exporter,
)
from kato_balancing.problems import InvalidInput

from . import reading
from .reading import camel_case, group, problems_of

STACK = "kato"
"""Name of the component: its objects are kato, kato-balancer, kato-redis … in the namespace."""

_IMAGES = {"nginx": "nginxImage", "haproxy": "haproxyImage"}
_SETTINGS = {"image": "katoImage", "balancer.proxy": "proxy"}
_GROUPS = ("autoscaling", "exposure", "network", "dns")


@dataclass(frozen=True)
class KubernetesStack:
    """One stack's arguments."""

    arguments: KatoK8sStackArgs
    cluster: Mapping[str, str]

    @property
    def images(self) -> Mapping[str, str]:
        """Setting → image that runs; an existing store has none."""
        redis = self.arguments["redis"]
        managed = {} if "url" in redis else {"redisImage": redis["image"]}
        found = {"katoImage": self.arguments["image"], **managed}
        if "canary" in self.arguments:
            found["canary.image"] = self.arguments["canary"]["image"]
        if "monitoring" in self.arguments:
            watched = self.arguments["monitoring"]
            found |= {
                "monitoring.exporterImage": watched.get("exporter_image", log_exporter.IMAGE),
                "monitoring.redisExporterImage": watched.get(
                    "redis_exporter_image", redis_exporter.IMAGE
                ),
            }
        pods = self.arguments.get("balancer")
        return found if pods is None else {**found, _IMAGES[pods["proxy"]]: pods["image"]}

    @property
    def has_clickhouse(self) -> bool:
        """False when KATO has nothing to learn into."""
        return "clickhouse" in self.arguments

    def build(self) -> Mapping[str, Any]:
        """Declare the stack's resources; the program's exports."""
        # Named, so that nothing goes into whatever cluster happens to be the current one.
        provider = k8s.Provider(
            "cluster",
            kubeconfig=self.cluster.get("kubeconfig"),
            context=self.cluster.get("context"),
        )
        opts = pulumi.ResourceOptions(providers=[provider])
        stack = KatoK8sStack(STACK, self.arguments, opts)
        return {"url": stack.url, "namespace": stack.namespace}


def read(config: pulumi.Config) -> KubernetesStack:
    """Read and check the settings; raises InvalidInput."""
    proxy = reading.chosen(config, "proxy", _IMAGES)
    stores = reading.stores(config)
    environment = reading.environment(config)
    arguments: dict[str, Any] = {
        "image": config.require("katoImage"),
        "process": group(config, "process"),
        "pause_seconds": config.require_int("pauseSeconds"),
        "stop_seconds": config.require_int("stopSeconds"),
        "resources": group(config, "resources"),
        "service_name": config.require("serviceName"),
        "environment": environment,
        **stores,
        "rules": reading.rules(config),
    }
    for name in _GROUPS:
        arguments[name] = group(config, name)
    canary = reading.canary(config)
    if canary is not None:
        arguments["canary"] = canary
    monitoring = reading.switched_group(config, "monitoring")
    if monitoring is not None:
        arguments["monitoring"] = {**monitoring, **_as_written(config, "monitoring", "labels")}
    if not arguments["autoscaling"]:
        del arguments["autoscaling"]
    if "autoscaling" not in arguments or not reading.is_default(config, "replicas"):
        arguments["replicas"] = config.require_int("replicas")
    arguments["exposure"] |= _as_written(config, "exposure", "annotations")
    if config.require("namespace"):
        arguments["namespace"] = config.require("namespace")
    pods = group(config, "balancerPods")
    if kato_k8s_stack.has_balancer(arguments["rules"]):
        arguments["balancer"] = {"proxy": proxy, "image": config.require(_IMAGES[proxy]), **pods}
    else:
        # The setting has a default that means nothing here.
        if arguments["rules"]["balancing"] == "ROUND_ROBIN":
            del arguments["rules"]["balancing"]
        if pods:
            arguments["balancer"] = pods
    stack = KubernetesStack(cast(KatoK8sStackArgs, arguments), group(config, "cluster"))
    setting = partial(_setting, proxy, "image" in group(config, "redis"))
    problems = problems_of(lambda: kato_k8s_stack.check(stack.arguments, STACK), setting)
    problems += reading.problems_of_group("cluster", stack.cluster, ("kubeconfig", "context"))
    if problems:
        raise InvalidInput(dict.fromkeys(problems))
    reading.hide_secrets(config, stores, environment)
    return stack


def _as_written(config: pulumi.Config, key: str, name: str) -> dict[str, Any]:
    """A part of the group whose own names are no inputs and stay as they are; empty without it."""
    found = reading.mapping(config, key)
    return {name: found[name]} if name in found else {}


def _setting(proxy: str, image_in_redis: bool, path: str) -> str:
    first, _, rest = path.partition(".")
    if path in _SETTINGS:
        return _SETTINGS[path]
    if path in ("balancer.image", "balancer.version"):
        return _IMAGES[proxy]
    if first == "balancer":
        return f"balancerPods.{camel_case(rest)}".rstrip(".")
    if first in ("rules", "process"):
        return reading.rule_setting(path)
    if first in ("redis", "clickhouse", "qdrant"):
        return reading.store_setting(image_in_redis, path)
    return path if first == "environment" else camel_case(path)
