"""KatoDataStores: Redis, ClickHouse and Qdrant as containers, or the addresses of existing ones."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NotRequired, Optional, TypedDict

import pulumi
import pulumi_docker as docker

from kato_balancing import images

from .containers import Service, container, once_healthy
from .inputs import attributed, refuse, whole_numbers

REDIS_IMAGE = "redis:8.0"
CLICKHOUSE_IMAGE = "clickhouse/clickhouse-server:24.8"
QDRANT_IMAGE = "qdrant/qdrant:v1.15.1"

_REDIS_STOP_SECONDS = 20
"""Redis writes its append-only file out at SIGTERM; milliseconds per gigabyte in memory."""


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
        check(args)
        super().__init__("kato:index:KatoDataStores", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        network = args.get("network")
        if network is None:
            network = docker.Network(f"{name}-network", opts=child).name
        self.network = pulumi.Output.from_input(network)
        found: list[pulumi.Input[Mapping[str, Any]]] = [
            _redis(name, args.get("redis", RedisStore()), self.network, child)
        ]
        if "clickhouse" in args:
            found.append(_clickhouse(name, args["clickhouse"], self.network, child))
        if "qdrant" in args:
            found.append(_qdrant(name, args["qdrant"], self.network, child))
        self.environment = pulumi.Output.all(*found).apply(
            lambda parts: {key: value for part in parts for key, value in part.items()}
        )
        self.register_outputs({"environment": self.environment, "network": self.network})


def check(args: KatoDataStoresArgs) -> None:
    """Raise InputPropertiesError when the inputs can't work together; creates nothing."""
    redis = args.get("redis", RedisStore())
    if "url" in redis:
        for other in ("image", "password", "memory_megabytes"):
            if other in redis:
                raise refuse(f"redis.{other}", "belongs to a managed Redis; remove it or redis.url")
        if isinstance(redis["url"], str) and not redis["url"].startswith(("redis://", "rediss://")):
            raise refuse("redis.url", "must start with redis:// or rediss://; KATO reads no other")
    memory = whole_numbers(redis.get("memory_megabytes", 1024))
    if not isinstance(memory, int) or isinstance(memory, bool) or memory < 32:
        raise refuse(
            "redis.memory_megabytes", f"must be a whole number, at least 32 (got {memory!r})"
        )
    password = redis.get("password")
    if isinstance(password, str) and not password.replace("-", "").isalnum():
        raise refuse(
            "redis.password", "must have letters, digits and hyphens only: it goes into a URL"
        )
    clickhouse = args.get("clickhouse")
    if clickhouse is not None and "host" not in clickhouse and "schema" not in clickhouse:
        raise refuse(
            "clickhouse.schema",
            "is required for a managed ClickHouse: KATO never creates its tables; give the text "
            "of the release's config/clickhouse/init.sql, or host of one that has them",
        )
    for store in ("redis", "clickhouse", "qdrant"):
        given = args.get(store)
        if isinstance(given, dict) and "image" in given:
            attributed(f"{store}.image", partial(images.parse, given["image"]))


def _volume(name: str, child: pulumi.ResourceOptions) -> pulumi.Output[str]:
    return docker.Volume(f"{name}-data", opts=child).name


def _redis(
    name: str, store: RedisStore, network: pulumi.Output[str], child: pulumi.ResourceOptions
) -> pulumi.Input[Mapping[str, Any]]:
    if "url" in store:
        return {"REDIS_URL": store["url"]}
    alias = f"{name}-redis"
    password = store.get("password")
    settings = [
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        f"maxmemory {int(store.get('memory_megabytes', 1024))}mb",
        "maxmemory-policy noeviction",
        "dir /data",
        # Reachable from the stack's own network only.
        "protected-mode no",
    ]
    text: pulumi.Input[str] = "\n".join(settings) + "\n"
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
            image=store.get("image", REDIS_IMAGE),
            alias=alias,
            network=network,
            command=["redis-server", "/etc/kato/redis.conf"],
            files={"/etc/kato/redis.conf": text},
            environment=environment,
            volumes={"/data": _volume(alias, child)},
            health=["CMD-SHELL", "redis-cli ping | grep -q PONG"],
            stop_seconds=_REDIS_STOP_SECONDS,
        ),
        child,
    )
    return {"REDIS_URL": once_healthy(running, url)}


def _clickhouse(
    name: str, store: ClickHouseStore, network: pulumi.Output[str], child: pulumi.ResourceOptions
) -> pulumi.Input[Mapping[str, Any]]:
    user: pulumi.Input[str] = store.get("user", "default")
    password = store.get("password")
    secrets = {} if password is None else {"CLICKHOUSE_PASSWORD": pulumi.Output.secret(password)}
    common: dict[str, Any] = {"CLICKHOUSE_DB": "kato", "CLICKHOUSE_USER": user, **secrets}
    if "host" in store:
        port = str(int(store.get("port", 8123)))
        return {"CLICKHOUSE_HOST": store["host"], "CLICKHOUSE_PORT": port, **common}
    alias = f"{name}-clickhouse"
    running = container(
        alias,
        Service(
            image=store.get("image", CLICKHOUSE_IMAGE),
            alias=alias,
            network=network,
            environment=common,
            files={"/docker-entrypoint-initdb.d/kato.sql": store["schema"]},
            volumes={"/var/lib/clickhouse": _volume(alias, child)},
            health=["CMD-SHELL", "wget -qO- http://127.0.0.1:8123/ping || exit 1"],
            stop_seconds=60,
        ),
        child,
    )
    host = once_healthy(running, alias)
    return {"CLICKHOUSE_HOST": host, "CLICKHOUSE_PORT": "8123", **common}


def _qdrant(
    name: str, store: QdrantStore, network: pulumi.Output[str], child: pulumi.ResourceOptions
) -> pulumi.Input[Mapping[str, Any]]:
    key = store.get("api_key")
    secret = None if key is None else pulumi.Output.secret(key)
    common: dict[str, Any] = {} if secret is None else {"QDRANT_API_KEY": secret}
    if "host" in store:
        port = str(int(store.get("port", 6333)))
        return {"QDRANT_HOST": store["host"], "QDRANT_PORT": port, **common}
    alias = f"{name}-qdrant"
    # An empty key makes Qdrant refuse everything: the variable is set only with a key.
    own = {} if secret is None else {"QDRANT__SERVICE__API_KEY": secret}
    running = container(
        alias,
        Service(
            image=store.get("image", QDRANT_IMAGE),
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
