"""KatoMonitoring: Prometheus with the figures of a balancer, of KATO and of Redis, on Docker."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NotRequired, Optional, Self, TypedDict

import pulumi
import pulumi_docker as docker
from pydantic import Field, model_validator

from kato_balancing import haproxy, kato
from kato_balancing.fields import Frozen, ImageReference, ListOf, Port, ServerName, refused_at
from kato_balancing.model import KatoProcess, Server
from kato_balancing.monitoring import rules, scraping
from kato_balancing.monitoring.exporter.server_names import NamedServer
from kato_balancing.monitoring.panels import BALANCER_JOB, EXPORTER_JOB, KATO_JOB, REDIS_JOB

from . import log_exporter, redis_exporter
from .balancer_inputs import Published
from .balancer_programs import PROGRAMS
from .balancing_args import BalancedServer
from .containers import Service, container, once_healthy
from .http_health import answers
from .inputs import Later, Text, checked, is_plain
from .process_args import KatoProcessSettings

PROMETHEUS_IMAGE = "prom/prometheus:v3.5.0"

_PROMETHEUS_PORT = 9090
_LOG_LINES_QUEUED = 512
"""The kernel keeps 10 by default: a burst of requests would be cut short in the figures."""
_CONFIGURATION, _RULES = "/etc/prometheus/prometheus.yml", "/etc/prometheus/kato.rules.yml"
_STOP_SECONDS = 10
_PROMETHEUS_STOP_SECONDS = 60


class PrometheusPublication(TypedDict):
    """Where Prometheus is reached on the Docker host. It asks nobody for a password."""

    port: NotRequired[int]
    """Port of the host. Defaults to 9090."""
    address: NotRequired[str]
    """Address of the host. Defaults to 127.0.0.1: this machine only."""


class WatchedRedis(TypedDict):
    """The session store, as KATO reaches it."""

    url: pulumi.Input[str]
    """redis:// or rediss://; KatoDataStores' environment has it as REDIS_URL."""
    image: NotRequired[str]
    """Image of the Redis exporter. Defaults to oliver006/redis_exporter:v1.74.0-alpine."""


class KatoMonitoringArgs(TypedDict):
    """Inputs of KatoMonitoring."""

    network: pulumi.Input[str]
    """Name of the Docker network that the balancer and its servers are on."""
    servers: pulumi.Input[Sequence[BalancedServer]]
    """The balancer's servers: KatoBackend's servers, or any list."""
    exporter_image: NotRequired[str]
    """Image of 'kato-lb export', built from stage kato-exporter of dev/images/Dockerfile. Defaults
    to kato-lb/kato-exporter:0.1.0."""
    proxy: NotRequired[str]
    """The balancer's program, nginx or haproxy. Defaults to nginx."""
    balancer: NotRequired[str]
    """The balancer's name on the network: its component's name. Defaults to "balancer"."""
    process: NotRequired[KatoProcessSettings]
    """KATO's own numbers; the same as the backend's."""
    redis: NotRequired[WatchedRedis]
    """Defaults to none: no figures of Redis."""
    prometheus_image: NotRequired[str]
    """Image of Prometheus, 2.42 or newer. Defaults to prom/prometheus:v3.5.0."""
    retention_days: NotRequired[int]
    """Days that figures are kept. Defaults to 15."""
    publish: NotRequired[PrometheusPublication]
    """Where Prometheus is reached."""
    labels: NotRequired[Mapping[str, str]]
    """Labels on every container."""


class KatoMonitoring(pulumi.ComponentResource):
    """Prometheus with rules, an exporter that reads the balancer's log, and one for Redis.

    Give the balancer ``log_volume``, so that its log reaches the exporter. It serves without
    them: an exporter that is gone costs figures, never a request.
    """

    log_volume: pulumi.Output[str]
    """Name of the volume with the exporter's socket."""
    prometheus_url: pulumi.Output[str]
    """Where Prometheus is reached on the Docker host."""

    def __init__(
        self, name: str, args: KatoMonitoringArgs, opts: Optional[pulumi.ResourceOptions] = None
    ) -> None:
        inputs = check(args)
        super().__init__("kato:index:KatoMonitoring", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        servers = pulumi.Output.from_input(inputs.servers).apply(_named)
        self.log_volume = _exporter(f"{name}-exporter", inputs, servers, child)
        if inputs.redis is not None:
            _redis_exporter(f"{name}-redis-exporter", inputs, inputs.redis, child)
        self.prometheus_url = _prometheus(name, inputs, servers, child)
        self.register_outputs(
            {"log_volume": self.log_volume, "prometheus_url": self.prometheus_url}
        )


class _Publication(Published):
    port: Port = _PROMETHEUS_PORT


class _Redis(Frozen):
    url: Text
    image: ImageReference = redis_exporter.IMAGE


class _Servers(Frozen):
    servers: Annotated[tuple[Server, ...], ListOf]


class _Inputs(Frozen):
    network: Text
    servers: Annotated[Any, Later]
    exporter_image: ImageReference = log_exporter.IMAGE
    proxy: str = "nginx"
    balancer: ServerName = "balancer"
    process: KatoProcess = KatoProcess()
    redis: _Redis | None = None
    prometheus_image: ImageReference = PROMETHEUS_IMAGE
    retention_days: Annotated[int, Field(ge=1, le=3650)] = 15
    publish: _Publication = _Publication()
    labels: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.proxy not in PROGRAMS:
            rule = f"must be one of {', '.join(PROGRAMS)} (got {self.proxy!r})"
            raise refused_at("KatoMonitoring", [(("proxy",), rule)])
        return self


def check(args: KatoMonitoringArgs) -> _Inputs:
    """The inputs with every default; raises InputPropertiesError when one is refused; creates
    nothing. Servers that are not known yet are checked when they are."""
    inputs = checked(_Inputs, args)
    if is_plain(inputs.servers):
        _named(inputs.servers)
    return inputs


def _named(servers: Sequence[Mapping[str, Any]]) -> list[NamedServer]:
    found = checked(_Servers, {"servers": servers}).servers
    return [NamedServer(server.name, server.host, server.port) for server in found]


def _exporter(
    name: str,
    inputs: _Inputs,
    servers: pulumi.Output[list[NamedServer]],
    child: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    # Not once the exporter listens: who depends on a container is replaced with it.
    volume = docker.Volume(f"{name}-log", opts=child).name
    container(
        name,
        Service(
            image=inputs.exporter_image,
            alias=name,
            network=inputs.network,
            command=servers.apply(
                lambda known: log_exporter.arguments(
                    proxy=inputs.proxy,
                    balancer=inputs.balancer,
                    connection_limit=inputs.process.connection_limit,
                    servers=known,
                )
            ),
            volumes={log_exporter.FOLDER: volume},
            health=answers(log_exporter.PORT, log_exporter.METRICS_PATH),
            stop_seconds=_STOP_SECONDS,
            scratch=["/tmp"],  # noqa: S108 - inside the container
            sysctls={"net.unix.max_dgram_qlen": str(_LOG_LINES_QUEUED)},
            labels=inputs.labels,
        ),
        child,
    )
    return volume


def _redis_exporter(
    name: str, inputs: _Inputs, redis: _Redis, child: pulumi.ResourceOptions
) -> None:
    container(
        name,
        Service(
            image=redis.image,
            alias=name,
            network=inputs.network,
            environment={redis_exporter.URL_VARIABLE: pulumi.Output.secret(redis.url)},
            health=answers(redis_exporter.PORT, redis_exporter.HEALTH_PATH),
            stop_seconds=_STOP_SECONDS,
            scratch=["/tmp"],  # noqa: S108 - inside the container
            labels=inputs.labels,
        ),
        child,
    )


def _prometheus(
    name: str,
    inputs: _Inputs,
    servers: pulumi.Output[list[NamedServer]],
    child: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    alias = f"{name}-prometheus"
    running = container(
        alias,
        Service(
            image=inputs.prometheus_image,
            alias=alias,
            network=inputs.network,
            command=[
                f"--config.file={_CONFIGURATION}",
                "--storage.tsdb.path=/prometheus",
                f"--storage.tsdb.retention.time={inputs.retention_days}d",
            ],
            files={
                _CONFIGURATION: servers.apply(
                    lambda known: scraping.configuration(list(_jobs(name, inputs, known)), [_RULES])
                ),
                _RULES: rules.document(),
            },
            volumes={"/prometheus": docker.Volume(f"{alias}-data", opts=child).name},
            ports=[
                docker.ContainerPortArgs(
                    internal=_PROMETHEUS_PORT,
                    external=inputs.publish.port,
                    ip=inputs.publish.address,
                )
            ],
            health=["CMD", "promtool", "check", "healthy"],
            stop_seconds=_PROMETHEUS_STOP_SECONDS,
            scratch=["/tmp"],  # noqa: S108 - inside the container
            labels=inputs.labels,
        ),
        child,
    )
    return once_healthy(running, inputs.publish.url("http"))


def _jobs(name: str, inputs: _Inputs, servers: Sequence[NamedServer]) -> Iterator[scraping.Job]:
    yield scraping.Job(EXPORTER_JOB, targets=[f"{name}-exporter:{log_exporter.PORT}"])
    if inputs.proxy == "haproxy":
        yield scraping.Job(
            BALANCER_JOB,
            targets=[f"{inputs.balancer}:{log_exporter.PRIVATE_PORT}"],
            path=haproxy.METRICS_PATH,
        )
    yield scraping.Job(KATO_JOB, servers=servers, path=kato.PROMETHEUS_PATH)
    if inputs.redis is not None:
        yield scraping.Job(
            REDIS_JOB,
            targets=[f"{name}-redis-exporter:{redis_exporter.PORT}"],
            path=redis_exporter.METRICS_PATH,
        )
