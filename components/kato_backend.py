"""KatoBackend: KATO replicas as containers, replaced one after another."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, NotRequired, Optional, Self, TypedDict

import pulumi
from pydantic import AfterValidator, model_validator

from kato_balancing import images, invariants, kato, kato_environment
from kato_balancing.fields import (
    Frozen,
    ImageReference,
    ListOf,
    Seconds,
    ServerName,
    refused,
    refused_at,
)
from kato_balancing.model import KatoProcess
from kato_balancing.problems import Problem

from .containers import Service, container
from .inputs import Later, Text, checked, refuse
from .process_args import KatoProcessSettings

MAXIMUM_REPLICAS = 64
STOP_MARGIN_SECONDS = 15
"""Default time beyond KATO's drain before a replica is killed."""

SPARE_SERVERS = 2
"""Servers listed ahead of need, so that a scale-out by as many changes no balancer."""

_PRIVATE_NETWORKS = "127.0.0.1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
"""Who may say what the client's address is: replicas are reached from their network only."""

_HEALTH_SCRIPT = (
    "import http.client as h;c=h.HTTPConnection('127.0.0.1',{port},timeout=5);"
    "c.request('GET','{path}');exit(c.getresponse().status!=200)"
)


class KatoStores(TypedDict):
    """The stores that the replicas share: KatoDataStores' outputs, or values of your own."""

    environment: pulumi.Input[Mapping[str, str]]
    """REDIS_URL and, where they are used, the CLICKHOUSE_* and QDRANT_* variables."""
    network: NotRequired[pulumi.Input[str]]
    """Name of the Docker network that the stores are on. Defaults to Docker's own bridge."""


class KatoServer(TypedDict):
    """A replica as a balancer sees it."""

    name: str
    """Stable identity of the replica."""
    host: str
    """Name on the network."""
    port: int
    """KATO's port."""
    draining: bool
    """Gets no new work."""


class KatoBackendArgs(TypedDict):
    """Inputs of KatoBackend."""

    image: str
    """KATO's image with a tag or digest, 5.0.2 or newer."""
    stores: KatoStores
    """What the replicas keep their state in."""
    replicas: NotRequired[int]
    """Running replicas, 1 to 64. Defaults to 3."""
    max_replicas: NotRequired[int]
    """Replicas that balancers list ahead of need: a scale-out up to here changes no balancer.
    Defaults to two more than replicas, at least 5."""
    process: NotRequired[KatoProcessSettings]
    """KATO's own numbers. Give the balancer the same."""
    stop_seconds: NotRequired[float]
    """Seconds between SIGTERM and SIGKILL. Defaults to KATO's drain plus 15."""
    draining: NotRequired[Sequence[str]]
    """Names of replicas that get no new work, such as "kato-2": what is in flight ends, then the
    replica can go. Defaults to none."""
    service_name: NotRequired[str]
    """Part of every knowledge base's name: the same on all replicas, for ever. Defaults to
    "kato"."""
    environment: NotRequired[Mapping[str, pulumi.Input[str]]]
    """More variables for KATO; values that would stop it at start are refused."""
    labels: NotRequired[Mapping[str, str]]
    """Labels on every container."""


class KatoBackend(pulumi.ComponentResource):
    """KATO replicas that share their stores: one worker each, health-checked, no published port.

    A changed image or variable replaces the replicas one after another: each gets its drain
    time, and the next one goes only when the one before is healthy again.
    """

    servers: pulumi.Output[Sequence[KatoServer]]
    """The replicas for a balancer, up to max_replicas: those that do not run yet have a name
    without an address."""

    def __init__(
        self, name: str, args: KatoBackendArgs, opts: Optional[pulumi.ResourceOptions] = None
    ) -> None:
        inputs = check(args, name)
        advice = images.advice(images.parse(inputs.image))
        if advice is not None:
            pulumi.log.warn(advice)
        super().__init__("kato:index:KatoBackend", name, {}, opts)
        environment = pulumi.Output.all(
            inputs.stores.environment, inputs.own_environment, inputs.environment
        ).apply(lambda parts: {key: str(value) for part in parts for key, value in part.items()})
        previous: list[pulumi.Resource] = []
        for index in range(inputs.replicas):
            alias = f"{name}-{index}"
            replica = container(
                alias,
                Service(
                    image=inputs.image,
                    alias=alias,
                    network=inputs.stores.network,
                    environment=environment,
                    health=["CMD", "python", "-c", _health_script()],
                    stop_seconds=inputs.stop,
                    scratch=["/tmp"],  # noqa: S108 - inside the container
                    labels=inputs.labels,
                ),
                # One after the other, each healthy before the next is touched.
                pulumi.ResourceOptions(parent=self, depends_on=previous),
            )
            previous = [replica]
        servers = server_list(name, inputs.listed, inputs.draining)
        self.servers = pulumi.Output.from_input(servers)
        self.register_outputs({"servers": self.servers})


def _between(number: int) -> int:
    if not 1 <= number <= MAXIMUM_REPLICAS:
        raise refused(f"must be between 1 and {MAXIMUM_REPLICAS} (got {number})")
    return number


_Replicas = Annotated[int, AfterValidator(_between)]


class _Stores(Frozen):
    environment: Annotated[Mapping[str, Text], Later]
    network: Text | None = None


class _Inputs(Frozen):
    image: ImageReference
    stores: _Stores
    replicas: _Replicas = 3
    max_replicas: _Replicas | None = None
    process: KatoProcess = KatoProcess()
    stop_seconds: Seconds | None = None
    draining: Annotated[tuple[ServerName, ...], ListOf] = ()
    service_name: Text = "kato"
    environment: Mapping[str, Text] = {}
    labels: Mapping[str, str] = {}

    @property
    def listed(self) -> int:
        """Replicas that balancers list."""
        ahead = min(MAXIMUM_REPLICAS, max(5, self.replicas + SPARE_SERVERS))
        return self.max_replicas or ahead

    @property
    def stop(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return self.stop_seconds or self.process.graceful_shutdown + STOP_MARGIN_SECONDS

    @property
    def own_environment(self) -> dict[str, str]:
        """The variables that this component sets itself."""
        return {
            # Without it every observe fails while /health is fine.
            "REDIS_ENABLED": "true",
            "KATO_WORKERS": str(self.process.workers),
            "KATO_LIMIT_CONCURRENCY": str(self.process.connection_limit),
            "SESSION_TTL": str(self.process.session_ttl),
            "SERVICE_NAME": self.service_name,
            "FORWARDED_ALLOW_IPS": _PRIVATE_NETWORKS,
            "ENVIRONMENT": "production",
        }

    @property
    def known_environment(self) -> dict[str, str]:
        """The given variables whose values are known already."""
        return {name: text for name, text in self.environment.items() if isinstance(text, str)}

    @model_validator(mode="after")
    def _sound(self) -> Self:
        rules = [*self._replica_rules(), *self._environment_rules()]
        if rules:
            raise refused_at("KatoBackend", rules)
        return self

    def _replica_rules(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.listed < self.replicas:
            rule = f"must be at least replicas ({self.replicas}); got {self.listed}"
            yield ("max_replicas",), rule
        if self.process.workers != 1:
            yield (
                ("process", "workers"),
                f"must be 1 (got {self.process.workers}): a session's lock lives in one process; "
                "add replicas instead of workers",
            )
        for broken in invariants.of_stop_time(self.stop, self.process):
            yield broken.location, broken.message
        try:
            images.check_kato(self.image, predictions=self._predicts())
        except ValueError as error:
            yield ("image",), str(error)

    def _environment_rules(self) -> Iterator[tuple[tuple[str, ...], str]]:
        own = {name.upper() for name in self.own_environment}
        stores = {"REDIS_URL"}
        if isinstance(self.stores.environment, Mapping):
            stores |= {name.upper() for name in self.stores.environment}
        for name in self.environment:
            if name.upper() in own:
                yield ("environment", name), "is set by this component; use its own input"
            elif name.upper() in stores:
                yield ("environment", name), "says where a store is; use the stores' own input"
        for problem in kato_environment.problems(self.known_environment):
            if problem.path.upper() not in own:
                yield ("environment", problem.path), problem.message

    def _predicts(self) -> bool:
        by_name = {name.upper(): text for name, text in self.known_environment.items()}
        return kato_environment.is_true(by_name.get("PROCESS_PREDICTIONS", "true"))


def check(args: KatoBackendArgs, name: str) -> _Inputs:
    """The inputs of a backend of this name with every default; raises InputPropertiesError when
    one is refused; creates nothing."""
    inputs = checked(_Inputs, args)
    running = [one["name"] for one in server_list(name, inputs.replicas)]
    for index, drained in enumerate(inputs.draining):
        if drained not in running:
            rule = f"must name a replica, one of {', '.join(running)} (got {drained!r})"
            raise refuse([Problem(f"draining[{index}]", rule)])
    if set(running) <= set(inputs.draining):
        raise refuse([Problem("draining", "must leave at least one replica that takes new work")])
    return inputs


def server_list(name: str, count: int, draining: Sequence[str] = ()) -> list[KatoServer]:
    """The servers that a backend of this name has, or will have, on its network."""
    names = [f"{name}-{index}" for index in range(count)]
    return [
        {"name": one, "host": one, "port": kato.PORT, "draining": one in draining} for one in names
    ]


def _health_script() -> str:
    return _HEALTH_SCRIPT.format(port=kato.PORT, path=kato.HEALTH_PATH)
