"""KatoDataStores: Redis, ClickHouse and Qdrant as containers, or the addresses of existing ones."""

from collections.abc import Mapping
from typing import Any, NotRequired, Optional, TypedDict

import pulumi
import pulumi_docker as docker

from kato_balancing.fields import Frozen

from .containers import Service, container, once_healthy
from .inputs import Text, checked
from .store_inputs import REDIS_STOP_SECONDS, ClickHouse, Qdrant, Redis, redis_settings


class RedisStore(TypedDict):
    """Where KATO's sessions live."""

    url: NotRequired[pulumi.Input[str]]
    """Address of an existing Redis (redis:// or rediss://). With it no Redis is created. Give it
    as a secret when it has a password."""
    image: NotRequired[str]
    """Image of the managed Redis. Defaults to redis:8.0."""
    password: NotRequired[pulumi.Input[str]]
    """Password of the managed Redis, of letters, digits and hyphens. Defaults to none: only the
    stack's own network reaches it."""
    memory_megabytes: NotRequired[int]
    """Memory for data; when it is full, writes fail instead of sessions vanishing. Defaults to
    1024."""


class ClickHouseStore(TypedDict):
    """Where KATO's learned patterns live."""

    host: NotRequired[pulumi.Input[str]]
    """Host of an existing ClickHouse. With it none is created."""
    port: NotRequired[int]
    """HTTP port of an existing ClickHouse. Defaults to 8123."""
    user: NotRequired[pulumi.Input[str]]
    """Defaults to "default"."""
    password: NotRequired[pulumi.Input[str]]
    """Defaults to none."""
    image: NotRequired[str]
    """Image of the managed ClickHouse. Defaults to clickhouse/clickhouse-server:24.8."""
    schema: NotRequired[pulumi.Input[str]]
    """SQL that creates KATO's tables: the release's own init.sql. Required for a managed
    ClickHouse, because KATO never creates its tables. Applied when the volume is new."""


class QdrantStore(TypedDict):
    """Where KATO's vectors live."""

    host: NotRequired[pulumi.Input[str]]
    """Host of an existing Qdrant. With it none is created."""
    port: NotRequired[int]
    """HTTP port of an existing Qdrant. Defaults to 6333."""
    api_key: NotRequired[pulumi.Input[str]]
    """Defaults to none."""
    image: NotRequired[str]
    """Image of the managed Qdrant. Defaults to qdrant/qdrant:v1.15.1."""


class KatoDataStoresArgs(TypedDict):
    """Inputs of KatoDataStores."""

    redis: NotRequired[RedisStore]
    """Defaults to a managed Redis: append-only file, no eviction, its own volume."""
    clickhouse: NotRequired[ClickHouseStore]
    """Defaults to none; KATO needs one to learn and predict."""
    qdrant: NotRequired[QdrantStore]
    """Defaults to none; KATO needs one for vectors only."""
    network: NotRequired[pulumi.Input[str]]
    """Name of an existing Docker network. Defaults to one of the stack's own."""


class KatoDataStores(pulumi.ComponentResource):
    """KATO's stores on Docker, on a network of their own, never published."""

    environment: pulumi.Output[Mapping[str, str]]
    """The variables that KATO finds the stores by; secret when a password is in them."""
    network: pulumi.Output[str]
    """Name of the Docker network that the stores are on."""

    def __init__(
        self,
        name: str,
        args: KatoDataStoresArgs,
        opts: Optional[pulumi.ResourceOptions] = None,
    ) -> None:
        inputs = check(args)
        super().__init__("kato:index:KatoDataStores", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        network = inputs.network or docker.Network(f"{name}-network", opts=child).name
        self.network = pulumi.Output.from_input(network)
        found: list[pulumi.Input[Mapping[str, Any]]] = [
            _redis(name, inputs.redis, self.network, child)
        ]
        if inputs.clickhouse is not None:
            found.append(_clickhouse(name, inputs.clickhouse, self.network, child))
        if inputs.qdrant is not None:
            found.append(_qdrant(name, inputs.qdrant, self.network, child))
        self.environment = pulumi.Output.all(*found).apply(
            lambda parts: {key: value for part in parts for key, value in part.items()}
        )
        self.register_outputs({"environment": self.environment, "network": self.network})


class _Inputs(Frozen):
    redis: Redis = Redis()
    clickhouse: ClickHouse | None = None
    qdrant: Qdrant | None = None
    network: Text | None = None


def check(args: KatoDataStoresArgs) -> _Inputs:
    """The inputs with every default; raises InputPropertiesError when one is refused; creates
    nothing."""
    return checked(_Inputs, args)


def _volume(name: str, child: pulumi.ResourceOptions) -> pulumi.Output[str]:
    return docker.Volume(f"{name}-data", opts=child).name


def _redis(
    name: str, store: Redis, network: pulumi.Output[str], child: pulumi.ResourceOptions
) -> pulumi.Input[Mapping[str, Any]]:
    if store.url is not None:
        return {"REDIS_URL": store.url}
    alias = f"{name}-redis"
    password = store.password
    text: pulumi.Input[str] = redis_settings(store.memory_megabytes)
    url: pulumi.Input[str] = f"redis://{alias}:6379"
    environment: dict[str, pulumi.Input[str]] = {}
    if password is not None:
        secret = pulumi.Output.secret(password)
        text = pulumi.Output.concat(text, "requirepass ", secret, "\n")
        url = pulumi.Output.concat("redis://:", secret, f"@{alias}:6379")
        environment["REDISCLI_AUTH"] = secret
    running = container(
        alias,
        Service(
            image=store.image,
            alias=alias,
            network=network,
            command=["redis-server", "/etc/kato/redis.conf"],
            files={"/etc/kato/redis.conf": text},
            environment=environment,
            volumes={"/data": _volume(alias, child)},
            health=["CMD-SHELL", "redis-cli ping | grep -q PONG"],
            stop_seconds=REDIS_STOP_SECONDS,
        ),
        child,
    )
    return {"REDIS_URL": once_healthy(running, url)}


def _clickhouse(
    name: str, store: ClickHouse, network: pulumi.Output[str], child: pulumi.ResourceOptions
) -> pulumi.Input[Mapping[str, Any]]:
    password = store.password
    secrets = {} if password is None else {"CLICKHOUSE_PASSWORD": pulumi.Output.secret(password)}
    common: dict[str, Any] = {"CLICKHOUSE_DB": "kato", "CLICKHOUSE_USER": store.user, **secrets}
    if store.host is not None:
        port = str(store.port)
        return {"CLICKHOUSE_HOST": store.host, "CLICKHOUSE_PORT": port, **common}
    alias = f"{name}-clickhouse"
    running = container(
        alias,
        Service(
            image=store.image,
            alias=alias,
            network=network,
            environment=common,
            files={"/docker-entrypoint-initdb.d/kato.sql": store.schema_ or ""},
            volumes={"/var/lib/clickhouse": _volume(alias, child)},
            health=["CMD-SHELL", "wget -qO- http://127.0.0.1:8123/ping || exit 1"],
            stop_seconds=60,
        ),
        child,
    )
    host = once_healthy(running, alias)
    return {"CLICKHOUSE_HOST": host, "CLICKHOUSE_PORT": "8123", **common}


def _qdrant(
    name: str, store: Qdrant, network: pulumi.Output[str], child: pulumi.ResourceOptions
) -> pulumi.Input[Mapping[str, Any]]:
    secret = None if store.api_key is None else pulumi.Output.secret(store.api_key)
    common: dict[str, Any] = {} if secret is None else {"QDRANT_API_KEY": secret}
    if store.host is not None:
        return {"QDRANT_HOST": store.host, "QDRANT_PORT": str(store.port), **common}
    alias = f"{name}-qdrant"
    # An empty key makes Qdrant refuse everything: the variable is set only with a key.
    own = {} if secret is None else {"QDRANT__SERVICE__API_KEY": secret}
    running = container(
        alias,
        Service(
            image=store.image,
            alias=alias,
            network=network,
            environment=own,
            volumes={"/qdrant/storage": _volume(alias, child)},
            # The image has neither curl nor wget.
            health=["CMD-SHELL", "bash -c 'exec 3<>/dev/tcp/127.0.0.1/6333'"],
            stop_seconds=30,
        ),
        child,
    )
    return {"QDRANT_HOST": once_healthy(running, alias), "QDRANT_PORT": "6333", **common}
