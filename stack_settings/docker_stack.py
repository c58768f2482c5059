"""The stack on Docker: its settings as the components' arguments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pulumi

from components import (
    BalancerArgs,
    HaproxyBalancer,
    KatoBackend,
    KatoBackendArgs,
    KatoDataStores,
    KatoDataStoresArgs,
    KatoMonitoring,
    KatoMonitoringArgs,
    NginxBalancer,
    data_stores,
    haproxy_balancer,
    kato_backend,
    nginx_balancer,
)
from kato_balancing.problems import InvalidInput, Problem

from . import docker_monitoring, reading
from .reading import camel_case, group, problems_of

BACKEND = "kato"
"""Name of the backend: its replicas are kato-0, kato-1 … on the stack's network."""

CANARY = f"{BACKEND}-canary"
"""Name of the canary's backend."""

BALANCER = "balancer"

_SETTING_OF_BACKEND_INPUT = {
    "image": "katoImage",
    "max_replicas": "maxReplicas",
    "stop_seconds": "stopSeconds",
}

_Check = Callable[[BalancerArgs], object]

_PROXIES: dict[str, tuple[type[NginxBalancer | HaproxyBalancer], _Check, str]] = {
    "nginx": (NginxBalancer, nginx_balancer.check, "nginxImage"),
    "haproxy": (HaproxyBalancer, haproxy_balancer.check, "haproxyImage"),
}
"""The setting ``proxy`` → the component, its check and the setting that names its image."""


@dataclass(frozen=True)
class DockerStack:
    """One stack's arguments."""

    stores: KatoDataStoresArgs
    backend: KatoBackendArgs
    balancer: BalancerArgs
    proxy: str
    canary: KatoBackendArgs | None
    monitoring: KatoMonitoringArgs | None

    @property
    def images(self) -> Mapping[str, str]:
        """Setting → image that runs; an existing store has none."""
        redis = self.stores["redis"]
        managed = {} if "url" in redis else {"redisImage": redis["image"]}
        _, _, proxy_image = _PROXIES[self.proxy]
        found = {"katoImage": self.backend["image"], proxy_image: self.balancer["image"], **managed}
        if self.canary is not None:
            found["canary.image"] = self.canary["image"]
        if self.monitoring is not None:
            found |= docker_monitoring.images(self.monitoring)
        return found

    @property
    def has_clickhouse(self) -> bool:
        """False when KATO has nothing to learn into."""
        return "clickhouse" in self.stores

    def build(self) -> Mapping[str, Any]:
        """Declare the stack's resources; the program's exports."""
        stores = KatoDataStores("stores", self.stores)
        connection: Any = {"environment": stores.environment, "network": stores.network}
        backend = KatoBackend(BACKEND, {**self.backend, "stores": connection})
        where: Any = {"servers": backend.servers, "network": stores.network}
        watched_servers: Any = backend.servers
        if self.canary is not None:
            canary = KatoBackend(CANARY, {**self.canary, "stores": connection})
            # No request goes there before it can answer.
            where["canary"] = {**self.balancer["canary"], "servers": canary.serving}
            watched_servers = pulumi.Output.all(backend.servers, canary.servers).apply(
                lambda pools: [server for pool in pools for server in pool]
            )
        figures: dict[str, Any] = {}
        if self.monitoring is not None:
            redis = stores.environment.apply(lambda known: known["REDIS_URL"])
            watched: Any = {**self.monitoring["redis"], "url": redis}
            monitoring = KatoMonitoring(
                docker_monitoring.SETTING,
                {
                    **self.monitoring,
                    "servers": watched_servers,
                    "network": stores.network,
                    "redis": watched,
                },
            )
            where["log_volume"] = monitoring.log_volume
            figures["prometheusUrl"] = monitoring.prometheus_url
        balancer = _PROXIES[self.proxy][0](BALANCER, {**self.balancer, **where})
        return {"url": balancer.url, "servers": backend.servers, **figures}

    def problems(self, store_setting: Callable[[str], str]) -> list[Problem]:
        """What the components refuse."""
        _, check, image = _PROXIES[self.proxy]
        return [
            *problems_of(lambda: data_stores.check(self.stores), store_setting),
            *problems_of(lambda: kato_backend.check(self.backend, BACKEND), _backend_setting),
            *problems_of(self._check_canary, _canary_setting),
            *problems_of(lambda: check(self.balancer), partial(_balancer_setting, image)),
            *(docker_monitoring.problems(self.monitoring) if self.monitoring else []),
        ]

    def _check_canary(self) -> None:
        if self.canary is not None:
            kato_backend.check(self.canary, CANARY)


def read(config: pulumi.Config) -> DockerStack:
    """Read and check the settings; raises InvalidInput."""
    proxy = reading.chosen(config, "proxy", _PROXIES)
    process = group(config, "process")
    stores = reading.stores(config)
    backend: dict[str, Any] = {
        "image": config.require("katoImage"),
        "stores": {"environment": {}},
        "replicas": config.require_int("replicas"),
        "max_replicas": config.require_int("maxReplicas"),
        "process": process,
        "stop_seconds": config.require_int("stopSeconds"),
        "draining": reading.items(config, "draining"),
        "service_name": config.require("serviceName"),
        "environment": reading.environment(config),
    }
    balancer: dict[str, Any] = {
        "servers": kato_backend.server_list(BACKEND, 1),
        "network": "",
        "image": config.require(_PROXIES[proxy][2]),
        "publish": {"port": config.require_int("port"), "address": config.require("address")},
        "process": process,
        "rules": reading.rules(config),
    }
    canary = reading.canary(config)
    canary_backend: dict[str, Any] | None = None
    if canary is not None:
        image, replicas = canary.pop("image"), canary.pop("replicas", backend["replicas"])
        canary_backend = {**backend, "image": image, "replicas": replicas, "draining": []}
        canary_backend["max_replicas"] = max(backend["max_replicas"], replicas)
        balancer["canary"] = {**canary, "servers": kato_backend.server_list(CANARY, 1)}
    monitoring = docker_monitoring.read(config)
    if monitoring is not None:
        placeholders = {"servers": balancer["servers"], "network": ""}
        monitoring |= {"proxy": proxy, "balancer": BALANCER, "process": process, **placeholders}
        monitoring["redis"]["url"] = ""
    stack = DockerStack(
        cast(KatoDataStoresArgs, stores),
        cast(KatoBackendArgs, backend),
        cast(BalancerArgs, balancer),
        proxy,
        cast(KatoBackendArgs, canary_backend) if canary_backend is not None else None,
        cast(KatoMonitoringArgs, monitoring) if monitoring is not None else None,
    )
    # In clear they can be checked as a whole; from here on they are secrets.
    problems = stack.problems(partial(reading.store_setting, "image" in group(config, "redis")))
    if problems:
        # The backend and the balancer may both object to KATO's own numbers.
        raise InvalidInput(dict.fromkeys(problems))
    reading.hide_secrets(config, stores, backend["environment"])
    return stack


def _backend_setting(path: str) -> str:
    if path.startswith("environment."):
        return path
    return _SETTING_OF_BACKEND_INPUT.get(path) or camel_case(path)


def _canary_setting(path: str) -> str:
    return f"canary.{path}" if path in ("image", "replicas") else _backend_setting(path)


def _balancer_setting(image: str, path: str) -> str:
    if path in ("image", "version"):
        return image
    if path.startswith("publish."):
        return path.removeprefix("publish.")
    if path.startswith("canary"):
        return camel_case(path)
    return reading.rule_setting(path)
