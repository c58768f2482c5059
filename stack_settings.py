"""A stack's settings (``Pulumi.yaml`` declares them) as the components' arguments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pulumi

from components import (
    KatoBackend,
    KatoBackendArgs,
    KatoDataStores,
    KatoDataStoresArgs,
    NginxBalancer,
    NginxBalancerArgs,
    data_stores,
    kato_backend,
    nginx_balancer,
)
from components.inputs import refuse

BACKEND = "kato"
"""Name of the backend: its replicas are kato-0, kato-1 … on the stack's network."""


@dataclass(frozen=True)
class StackSettings:
    """One stack's arguments, checked as a whole before the first resource is made."""

    stores: KatoDataStoresArgs
    backend: KatoBackendArgs
    balancer: NginxBalancerArgs

    @classmethod
    def of(cls, config: pulumi.Config) -> "StackSettings":
        """Read and check the stack's settings.

        Raises InputPropertiesError, which names each setting, the rule and the cure.
        """
        process = _group(config, "process")
        stores = _stores(config)
        backend: dict[str, Any] = {
            "image": config.require("katoImage"),
            "stores": {"environment": {}},
            "replicas": config.require_int("replicas"),
            "max_replicas": config.require_int("maxReplicas"),
            "process": process,
            "stop_seconds": config.require_int("stopSeconds"),
            "environment": _environment(config),
        }
        balancer: dict[str, Any] = {
            "servers": kato_backend.server_list(BACKEND, config.require_int("maxReplicas")),
            "network": "",
            "image": config.require("nginxImage"),
            "publish": {"port": config.require_int("port"), "address": config.require("address")},
            "process": process,
            "rules": {
                "affinity": config.require("affinity"),
                "balancing": config.require("balancing"),
                **_group(config, "balancer"),
            },
        }
        data_stores.check(cast(KatoDataStoresArgs, stores))
        kato_backend.check(cast(KatoBackendArgs, backend))
        nginx_balancer.check(cast(NginxBalancerArgs, balancer))
        return cls(
            cast(KatoDataStoresArgs, stores),
            cast(KatoBackendArgs, backend),
            cast(NginxBalancerArgs, balancer),
        )

    def build(self) -> tuple[KatoBackend, NginxBalancer]:
        """Declare the stack's resources."""
        stores = KatoDataStores("stores", self.stores)
        connection: Any = {"environment": stores.environment, "network": stores.network}
        backend = KatoBackend(BACKEND, {**self.backend, "stores": connection})
        balancer = NginxBalancer(
            "balancer",
            {**self.balancer, "servers": cast(Any, backend.servers), "network": stores.network},
        )
        return backend, balancer


def _stores(config: pulumi.Config) -> dict[str, Any]:
    redis = _group(config, "redis")
    if "url" not in redis:
        redis.setdefault("image", config.require("redisImage"))
    stores: dict[str, Any] = {"redis": redis}
    clickhouse = _group(config, "clickhouse")
    if clickhouse:
        file = clickhouse.pop("schema_file", None)
        if file is not None:
            clickhouse["schema"] = _text_of(file)
        stores["clickhouse"] = clickhouse
    qdrant = _group(config, "qdrant")
    if qdrant and qdrant.pop("managed", True):
        stores["qdrant"] = qdrant
    return stores


def _text_of(file: object) -> str:
    try:
        return Path(str(file)).read_text()
    except OSError as error:
        raise refuse("clickhouse.schemaFile", f"can't be read ({error}); name a file") from None


def _group(config: pulumi.Config, key: str) -> dict[str, Any]:
    """A group of settings, with names as the components spell them."""
    value = config.get_object(key) or {}
    if not isinstance(value, Mapping):
        raise refuse(key, f"must be a group of settings (got {value!r})")
    return {str(name): item for name, item in _snake_case(value).items()}


def _environment(config: pulumi.Config) -> dict[str, str]:
    """Variables keep their names; a bare true or 5 is meant as its text."""
    value = config.get_object("environment") or {}
    if not isinstance(value, Mapping):
        raise refuse("environment", f"must be a group of variables (got {value!r})")
    return {
        str(name): str(item).lower() if isinstance(item, bool) else str(item)
        for name, item in value.items()
    }


def _snake_case(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            re.sub(r"(?<!^)(?=[A-Z])", "_", str(name)).lower(): _snake_case(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_snake_case(item) for item in value]
    return value
