"""KatoBackend: KATO replicas as containers, replaced one after another."""

from collections.abc import Mapping, Sequence
from typing import Annotated, NotRequired, Optional, Self, TypedDict

import pulumi
from pydantic import model_validator

from kato_balancing import images, kato
from kato_balancing.fields import Frozen, ListOf, ServerName, refused_at
from kato_balancing.problems import Problem

from .containers import Service, container, once_healthy
from .inputs import Later, Text, checked, refuse
from .kato_inputs import KatoInputs, Replicas, listed_ahead
from .process_args import KatoProcessSettings

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
    serving: pulumi.Output[Sequence[KatoServer]]
    """The replicas that run, known once they are healthy: for a pool that must not be asked
    before, such as a canary."""

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
        healthy: list[pulumi.Output[str]] = []
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
            healthy.append(once_healthy(replica, alias))
        servers = server_list(name, inputs.listed, inputs.draining)
        self.servers = pulumi.Output.from_input(servers)
        running = servers[: inputs.replicas]
        self.serving = pulumi.Output.all(*healthy).apply(lambda _: running)
        self.register_outputs({"servers": self.servers, "serving": self.serving})


class _Stores(Frozen):
    environment: Annotated[Mapping[str, Text], Later]
    network: Text | None = None


class _Inputs(KatoInputs):
    stores: _Stores
    replicas: Replicas = 3
    max_replicas: Replicas | None = None
    draining: Annotated[tuple[ServerName, ...], ListOf] = ()

    @property
    def listed(self) -> int:
        """Replicas that balancers list."""
        return self.max_replicas or listed_ahead(self.replicas)

    def store_variables(self) -> set[str]:
        """Names, in capitals, of the variables that say where a store is."""
        given = self.stores.environment
        known = {name.upper() for name in given} if isinstance(given, Mapping) else set()
        return super().store_variables() | known

    @model_validator(mode="after")
    def _listed_are_enough(self) -> Self:
        if self.listed < self.replicas:
            rule = f"must be at least replicas ({self.replicas}); got {self.listed}"
            raise refused_at("KatoBackend", [(("max_replicas",), rule)])
        return self


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
