"""KatoBackend: KATO replicas as containers, replaced one after another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, Optional, TypedDict

import pulumi

from kato_balancing import images, invariants, kato, kato_environment
from kato_balancing.model import KatoProcess
from kato_balancing.problems import Problem

from .containers import Service, container
from .inputs import attributed, checked, property_error, refuse, whole_numbers
from .process_args import KatoProcessSettings

MAXIMUM_REPLICAS = 64
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
        plan = check(args)
        super().__init__("kato:index:KatoBackend", name, {}, opts)
        environment = pulumi.Output.all(
            pulumi.Output.from_input(args["stores"]["environment"]),
            plan.environment,
            args.get("environment", {}),
        ).apply(lambda parts: {key: str(value) for part in parts for key, value in part.items()})
        previous: list[pulumi.Resource] = []
        for index in range(plan.replicas):
            alias = f"{name}-{index}"
            replica = container(
                alias,
                Service(
                    image=args["image"],
                    alias=alias,
                    network=args["stores"].get("network"),
                    environment=environment,
                    health=["CMD", "python", "-c", _health_script()],
                    stop_seconds=plan.stop_seconds,
                    scratch=["/tmp"],  # noqa: S108 - inside the container
                    labels=args.get("labels", {}),
                ),
                # One after the other, each healthy before the next is touched.
                pulumi.ResourceOptions(parent=self, depends_on=previous),
            )
            previous = [replica]
        self.servers = pulumi.Output.from_input(server_list(name, plan.max_replicas))
        self.register_outputs({"servers": self.servers})


@dataclass(frozen=True)
class Plan:
    """The inputs with every default applied."""

    replicas: int
    max_replicas: int
    stop_seconds: float
    process: KatoProcess
    environment: Mapping[str, str]


def check(args: KatoBackendArgs) -> Plan:
    """The plan; raises InputPropertiesError when an input is refused; creates nothing."""
    replicas = _count("replicas", args.get("replicas", 3))
    max_replicas = _count(
        "max_replicas", args.get("max_replicas", max(5, replicas + SPARE_SERVERS))
    )
    if max_replicas < replicas:
        raise refuse("max_replicas", f"must be at least replicas ({replicas}); got {max_replicas}")
    process = checked(KatoProcess, args.get("process", {}), at="process")
    if process.workers != 1:
        raise refuse(
            "process.workers",
            f"must be 1 (got {process.workers}): a session's lock lives in one process; "
            "add replicas instead of workers",
        )
    stop_seconds = float(args.get("stop_seconds", process.graceful_shutdown + 15))
    broken = invariants.of_stop_time(stop_seconds, process)
    if broken:
        raise property_error([Problem(".".join(b.location), b.message) for b in broken])
    given = args.get("environment", {})
    fixed = _environment(args, process)
    taken = sorted(set(given) & set(fixed))
    if taken:
        raise refuse(f"environment.{taken[0]}", "is set by this component; use its own input")
    plain = {key: value for key, value in given.items() if isinstance(value, str)}
    problems = kato_environment.problems({**fixed, **plain})
    if problems:
        raise property_error(problems, at="environment")
    predictions = plain.get("PROCESS_PREDICTIONS", "true").lower() not in (
        "false",
        "0",
        "no",
        "off",
    )
    image = attributed("image", lambda: images.check_kato(args["image"], predictions=predictions))
    advice = images.advice(image)
    if advice is not None:
        pulumi.log.warn(advice)
    return Plan(replicas, max_replicas, stop_seconds, process, fixed)


def server_list(name: str, count: int) -> list[KatoServer]:
    """The servers that a backend of this name has, or will have, on its network."""
    return [
        {"name": f"{name}-{index}", "host": f"{name}-{index}", "port": kato.PORT}
        for index in range(count)
    ]


def _count(path: str, value: object) -> int:
    number = whole_numbers(value)
    if isinstance(number, bool) or not isinstance(number, int):
        raise refuse(path, f"must be a whole number, written without quotes (got {value!r})")
    if not 1 <= number <= MAXIMUM_REPLICAS:
        raise refuse(path, f"must be between 1 and {MAXIMUM_REPLICAS} (got {number})")
    return number


def _environment(args: KatoBackendArgs, process: KatoProcess) -> dict[str, str]:
    return {
        # Without it every observe fails while /health is fine.
        "REDIS_ENABLED": "true",
        "KATO_WORKERS": str(process.workers),
        "KATO_LIMIT_CONCURRENCY": str(process.connection_limit),
        "SESSION_TTL": str(process.session_ttl),
        "SERVICE_NAME": args.get("service_name", "kato"),
        "FORWARDED_ALLOW_IPS": _PRIVATE_NETWORKS,
        "ENVIRONMENT": "production",
    }


def _health_script() -> str:
    return _HEALTH_SCRIPT.format(port=kato.PORT, path=kato.HEALTH_PATH)
