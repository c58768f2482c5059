"""The stores' tier: Redis, ClickHouse and Qdrant in the cluster, or the addresses of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s

from kato_balancing.fields import Frozen

from .. import store_inputs
from ..store_inputs import REDIS_STOP_SECONDS, redis_settings
from .labels import Labels
from .pods import Probes, Program, metadata, pod_template, probe
from .resources import ContainerResources, Resources
from .storage import Store, Volume, store

REDIS, CLICKHOUSE, QDRANT, SCHEMA = "redis", "clickhouse", "qdrant", "schema"
REDIS_PORT, CLICKHOUSE_PORT, QDRANT_PORT = 6379, 8123, 6333
CLICKHOUSE_NATIVE_PORT = 9000

_REDIS_PING = ["sh", "-c", "redis-cli ping | grep -q PONG"]
_REDIS_OVERHEAD_MEGABYTES = 128
"""Beside the data: buffers, and the fork that rewrites the append-only file copies some of it."""

_SCHEMA_LIMIT_SECONDS = 600
_SCHEMA_TRIES = 6


class ClusterRedis(TypedDict):
    """Where KATO's sessions live."""

    url: NotRequired[pulumi.Input[str]]
    """Address of an existing Redis (redis:// or rediss://). With it no Redis is created. Give it
    as a secret when it has a password."""
    image: NotRequired[str]
    """Image of the managed Redis. Defaults to redis:8.0."""
    password: NotRequired[pulumi.Input[str]]
    """Password of the managed Redis, of letters, digits and hyphens. Defaults to none: then only
    the network policies protect it."""
    memory_megabytes: NotRequired[int]
    """Memory for data; when it is full, writes fail instead of sessions vanishing. Defaults to
    1024."""
    storage_gigabytes: NotRequired[int]
    """Size of the managed Redis' volume. Defaults to 10."""
    storage_class: NotRequired[pulumi.Input[str]]
    """Defaults to the cluster's default class."""
    keep_data: NotRequired[bool]
    """Leave the volume when the stack is destroyed; needs a namespace that outlives the stack.
    Defaults to false."""
    resources: NotRequired[ContainerResources]
    """Defaults to 0.1 cores and the memory for data plus 128 MB."""


class ClusterClickHouse(TypedDict):
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
    """Image of the managed ClickHouse, and of the job that applies the schema. Defaults to
    clickhouse/clickhouse-server:24.8."""
    schema: NotRequired[pulumi.Input[str]]
    """SQL that creates KATO's tables: the release's own init.sql. Required for a managed
    ClickHouse, because KATO never creates its tables. A job applies it before KATO starts."""
    storage_gigabytes: NotRequired[int]
    """Size of the managed ClickHouse's volume. Defaults to 10."""
    storage_class: NotRequired[pulumi.Input[str]]
    """Defaults to the cluster's default class."""
    keep_data: NotRequired[bool]
    """Leave the volume when the stack is destroyed; needs a namespace that outlives the stack.
    Defaults to false."""
    resources: NotRequired[ContainerResources]
    """Defaults to 0.5 cores and 2048 MB."""


class ClusterQdrant(TypedDict):
    """Where KATO's vectors live."""

    host: NotRequired[pulumi.Input[str]]
    """Host of an existing Qdrant. With it none is created."""
    port: NotRequired[int]
    """HTTP port of an existing Qdrant. Defaults to 6333."""
    api_key: NotRequired[pulumi.Input[str]]
    """Defaults to none."""
    image: NotRequired[str]
    """Image of the managed Qdrant. Defaults to qdrant/qdrant:v1.15.1."""
    storage_gigabytes: NotRequired[int]
    """Size of the managed Qdrant's volume. Defaults to 10."""
    storage_class: NotRequired[pulumi.Input[str]]
    """Defaults to the cluster's default class."""
    keep_data: NotRequired[bool]
    """Leave the volume when the stack is destroyed; needs a namespace that outlives the stack.
    Defaults to false."""
    resources: NotRequired[ContainerResources]
    """Defaults to 0.25 cores and 512 MB."""


_VOLUME_FIELDS = (*Volume.model_fields, "resources")


class _Redis(store_inputs.Redis, Volume):
    only_managed: ClassVar[tuple[str, ...]] = (*store_inputs.Redis.only_managed, *_VOLUME_FIELDS)

    resources: Resources = Resources()


class _ClickHouse(store_inputs.ClickHouse, Volume):
    # The job that applies the schema may work on an existing one too.
    only_managed: ClassVar[tuple[str, ...]] = _VOLUME_FIELDS

    resources: Resources = Resources()


class _Qdrant(store_inputs.Qdrant, Volume):
    only_managed: ClassVar[tuple[str, ...]] = (*store_inputs.Qdrant.only_managed, *_VOLUME_FIELDS)

    resources: Resources = Resources()


class StoreInputs(Frozen):
    """The stores' inputs with every default."""

    redis: _Redis = _Redis()
    clickhouse: _ClickHouse | None = None
    qdrant: _Qdrant | None = None

    @property
    def kept(self) -> list[str]:
        """The stores whose data shall outlive the stack."""
        parts = {"redis": self.redis, "clickhouse": self.clickhouse, "qdrant": self.qdrant}
        return [name for name, part in parts.items() if part is not None and part.keep_data]

    def variables(self) -> set[str]:
        """Names of the variables that say where the stores are."""
        names = {"REDIS_URL"}
        if self.clickhouse is not None:
            names |= {f"CLICKHOUSE_{part}" for part in ("HOST", "PORT", "DB", "USER", "PASSWORD")}
        if self.qdrant is not None:
            names |= {f"QDRANT_{part}" for part in ("HOST", "PORT", "API_KEY")}
        return names

    def outside_ports(self) -> list[int | None]:
        """Ports of the stores outside the stack; None stands for one that an Output holds."""
        ports = self.outside_redis()
        if self.clickhouse is not None and self.clickhouse.host is not None:
            ports += [self.clickhouse.port, CLICKHOUSE_NATIVE_PORT]
        if self.qdrant is not None and self.qdrant.host is not None:
            ports.append(self.qdrant.port)
        return ports

    def outside_redis(self) -> list[int | None]:
        """Of these, Redis'; none when it is managed."""
        return [] if self.redis.url is None else [_port_of(self.redis.url)]


def _port_of(url: Any) -> int | None:
    if not isinstance(url, str):
        return None
    # A login may hold whatever else stands in a URL.
    authority = url.partition("://")[2].rpartition("@")[2].partition("/")[0]
    port = authority.rpartition(":")[2]
    return int(port) if port.isdigit() else REDIS_PORT


@dataclass(frozen=True)
class Stores:
    """The stores, as KATO finds them."""

    environment: pulumi.Output[Mapping[str, str]]
    """KATO's variables; secret when a password is in them."""
    ready: Sequence[pulumi.Resource]
    """What has to be there before KATO starts: it ends when Redis does not answer."""


@dataclass(frozen=True)
class _Place:
    name: str
    labels: Labels
    namespace: pulumi.Input[str]
    domain: str
    child: pulumi.ResourceOptions


def stores(
    name: str,
    inputs: StoreInputs,
    *,
    labels: Labels,
    namespace: pulumi.Input[str],
    domain: str,
    child: pulumi.ResourceOptions,
) -> Stores:
    """Declare the managed stores."""
    place = _Place(name, labels, namespace, domain, child)
    found: list[pulumi.Input[Mapping[str, Any]]] = []
    ready: list[pulumi.Resource] = []
    parts = [_redis(place, inputs.redis)]
    if inputs.clickhouse is not None:
        parts.append(_clickhouse(place, inputs.clickhouse))
    if inputs.qdrant is not None:
        parts.append(_qdrant(place, inputs.qdrant))
    for variables, resources in parts:
        found.append(variables)
        ready += resources
    environment = pulumi.Output.all(*found).apply(
        lambda parts: {key: str(value) for part in parts for key, value in part.items()}
    )
    return Stores(environment, ready)


_Part = tuple[Mapping[str, pulumi.Input[Any]], list[pulumi.Resource]]


def _redis(place: _Place, inputs: _Redis) -> _Part:
    if inputs.url is not None:
        return {"REDIS_URL": inputs.url}, []
    name = f"{place.name}-{REDIS}"
    text: pulumi.Input[str] = redis_settings(inputs.memory_megabytes)
    login: pulumi.Input[str] = ""
    environment = None
    if inputs.password is not None:
        secret = pulumi.Output.secret(inputs.password)
        text = pulumi.Output.concat(text, "requirepass ", secret, "\n")
        login = pulumi.Output.concat(":", secret, "@")
        environment = _secret(place, REDIS, f"{name}-login", {"REDISCLI_AUTH": secret})
    settings = _secret(place, REDIS, f"{name}-settings", {"redis.conf": text})
    running = _run(
        place,
        inputs,
        Program(
            tier=REDIS,
            image=inputs.image,
            resources=inputs.resources.or_else(
                cpu=0.1, memory_megabytes=inputs.memory_megabytes + _REDIS_OVERHEAD_MEGABYTES
            ),
            ports={REDIS: REDIS_PORT},
            command=["redis-server", "/etc/kato/redis.conf"],
            probes=_store_probes(command=_REDIS_PING, port=REDIS),
            grace_seconds=REDIS_STOP_SECONDS,
            secret_environment=environment,
            volumes=[_file_of(settings, "redis.conf")],
            mounts={"/etc/kato": "settings", "/data": "data"},
            writable=["/data"],
        ),
    )
    url = pulumi.Output.concat("redis://", login, running.host, f":{REDIS_PORT}")
    return {"REDIS_URL": url}, [running.ready]


def _clickhouse(place: _Place, inputs: _ClickHouse) -> _Part:
    secrets: dict[str, pulumi.Input[str]] = {}
    if inputs.password is not None:
        secrets["CLICKHOUSE_PASSWORD"] = pulumi.Output.secret(inputs.password)
    common = {"CLICKHOUSE_DB": "kato", "CLICKHOUSE_USER": inputs.user, **secrets}
    host: pulumi.Input[str]
    ready: list[pulumi.Resource] = []
    if inputs.host is not None:
        host, port = inputs.host, inputs.port
    else:
        port = CLICKHOUSE_PORT
        running = _run(
            place,
            inputs,
            Program(
                tier=CLICKHOUSE,
                image=inputs.image,
                resources=inputs.resources.or_else(cpu=0.5, memory_megabytes=2048),
                ports={"http": CLICKHOUSE_PORT, "native": CLICKHOUSE_NATIVE_PORT},
                probes=_store_probes(get=("/ping", "http"), port="native"),
                grace_seconds=60,
                secret_environment=_secret(place, CLICKHOUSE, f"{place.name}-clickhouse", common),
                mounts={
                    "/var/lib/clickhouse": "data",
                    "/var/log/clickhouse-server": "scratch",
                },
                writable=["/var/lib/clickhouse", "/var/log/clickhouse-server"],
            ),
        )
        host = running.host
        ready.append(running.ready)
    if inputs.schema_ is not None:
        ready.append(_schema_job(place, inputs, host, common, ready))
    return {"CLICKHOUSE_HOST": host, "CLICKHOUSE_PORT": str(port), **common}, ready


def _schema_job(
    place: _Place,
    inputs: _ClickHouse,
    host: pulumi.Input[str],
    login: Mapping[str, pulumi.Input[str]],
    after: Sequence[pulumi.Resource],
) -> k8s.batch.v1.Job:
    """KATO's tables, made before KATO starts; a changed schema is a new job."""
    name = f"{place.name}-{SCHEMA}"
    settings = _secret(place, SCHEMA, name, {"schema.sql": inputs.schema_ or ""})
    environment = {"CLICKHOUSE_HOST": host, **login}
    program = Program(
        tier=SCHEMA,
        image=inputs.image,
        resources=Resources().or_else(cpu=0.1, memory_megabytes=256),
        ports={},
        command=[
            "sh", "-ec",
            'exec clickhouse-client --host "$CLICKHOUSE_HOST" --user "$CLICKHOUSE_USER" '
            "--queries-file /etc/kato/schema.sql",
        ],
        probes=None,
        grace_seconds=10,
        secret_environment=_secret(place, SCHEMA, f"{name}-login", environment),
        volumes=[_file_of(settings, "schema.sql")],
        mounts={"/etc/kato": "settings"},
        restart="Never",
    )  # fmt: skip
    return k8s.batch.v1.Job(
        name,
        metadata=metadata(place.labels, SCHEMA, place.namespace),
        spec=k8s.batch.v1.JobSpecArgs(
            template=pod_template(place.labels, program),
            backoff_limit=_SCHEMA_TRIES,
            active_deadline_seconds=_SCHEMA_LIMIT_SECONDS,
        ),
        opts=pulumi.ResourceOptions.merge(
            place.child, pulumi.ResourceOptions(depends_on=list(after))
        ),
    )


def _qdrant(place: _Place, inputs: _Qdrant) -> _Part:
    secret = None if inputs.api_key is None else pulumi.Output.secret(inputs.api_key)
    common: dict[str, pulumi.Input[str]] = {} if secret is None else {"QDRANT_API_KEY": secret}
    if inputs.host is not None:
        return {"QDRANT_HOST": inputs.host, "QDRANT_PORT": str(inputs.port), **common}, []
    # An empty key makes Qdrant refuse everything: the variable is set only with a key.
    own = {} if secret is None else {"QDRANT__SERVICE__API_KEY": secret}
    running = _run(
        place,
        inputs,
        Program(
            tier=QDRANT,
            image=inputs.image,
            resources=inputs.resources.or_else(cpu=0.25, memory_megabytes=512),
            ports={"http": QDRANT_PORT},
            probes=_store_probes(get=("/readyz", "http"), port="http"),
            grace_seconds=30,
            secret_environment=_secret(place, QDRANT, f"{place.name}-qdrant", own) if own else None,
            mounts={"/qdrant/storage": "data", "/qdrant/snapshots": "scratch"},
            writable=["/qdrant/storage", "/qdrant/snapshots"],
        ),
    )
    known = {"QDRANT_HOST": running.host, "QDRANT_PORT": str(QDRANT_PORT), **common}
    return known, [running.ready]


def _run(place: _Place, volume: Volume, program: Program) -> Store:
    return store(
        f"{place.name}-{program.tier}",
        place.labels,
        program,
        namespace=place.namespace,
        domain=place.domain,
        volume=volume,
        child=place.child,
    )


def _store_probes(
    *, get: tuple[str, str] | None = None, command: Sequence[str] | None = None, port: str
) -> Probes:
    """A store that loads its data is not ready, and is not restarted for it."""
    return Probes(
        startup=probe(get=get, command=command, period=2, timeout=1, failures=300),
        readiness=probe(get=get, command=command, period=5, timeout=3, failures=2),
        liveness=probe(port=port, period=10, timeout=5, failures=6),
    )


def _secret(
    place: _Place, tier: str, name: str, data: Mapping[str, pulumi.Input[str]]
) -> pulumi.Output[str]:
    """Name of an immutable Secret: another content is another Secret, and so a rolling update."""
    return k8s.core.v1.Secret(
        name,
        metadata=metadata(place.labels, tier, place.namespace),
        immutable=True,
        string_data=dict(data),
        opts=place.child,
    ).metadata.apply(lambda made: str(made.name))


def _file_of(secret: pulumi.Input[str], file: str) -> k8s.core.v1.VolumeArgs:
    return k8s.core.v1.VolumeArgs(
        name="settings",
        secret=k8s.core.v1.SecretVolumeSourceArgs(
            secret_name=secret,
            items=[k8s.core.v1.KeyToPathArgs(key=file, path=file)],
        ),
    )
