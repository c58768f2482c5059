"""NginxBalancer: an nginx container in front of any list of servers."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Optional, Self, TypedDict

import pulumi
import pulumi_docker as docker
from pydantic import model_validator

from kato_balancing import images, nginx, targets
from kato_balancing.fields import Frozen, ImageReference, IpAddress, Port, refused_at
from kato_balancing.model import Balancer
from kato_balancing.problems import Problem

from .balancing_args import BalancedServer, BalancerRules
from .containers import Service, container, once_healthy
from .inputs import Text, attributed, checked, is_plain, refuse
from .live_configuration import CURRENT, FOLDER, Program, live_configuration, watching
from .process_args import KatoProcessSettings

IMAGE = "nginx:1.30.4"
"""First stable nginx with every fix that a balancer on the open network needs."""

DOCKER_RESOLVER = "127.0.0.11"
"""Docker's own DNS server, in every container on a network of the user's."""

_FILE = "nginx.conf"
_ARGUMENTS = f"-e /dev/stderr -c {CURRENT}/{_FILE}"
_PROGRAM = Program(
    test=f"nginx {_ARGUMENTS} -t",
    run=f"nginx {_ARGUMENTS} -g 'daemon off;'",
    reload="kill -HUP 1",
)
_STOP_MARGIN_SECONDS = 5
_UNPRIVILEGED = "10001:10001"


class Publication(TypedDict):
    """Where clients on the Docker host reach the balancer."""

    port: NotRequired[int]
    """Port of the host. Defaults to 8080."""
    address: NotRequired[str]
    """Address of the host. Defaults to 127.0.0.1: this machine only."""


class NginxBalancerArgs(TypedDict):
    """Inputs of NginxBalancer."""

    servers: pulumi.Input[Sequence[BalancedServer]]
    """Who serves: KatoBackend's servers, or any list."""
    network: NotRequired[pulumi.Input[str]]
    """Name of the Docker network that the servers are on. Defaults to Docker's own bridge, where
    servers need addresses instead of names."""
    image: NotRequired[str]
    """nginx image. Defaults to nginx:1.30.4."""
    version: NotRequired[str]
    """nginx version to write the configuration for. Defaults to what the image's tag states."""
    publish: NotRequired[Publication]
    """Where clients reach it."""
    process: NotRequired[KatoProcessSettings]
    """KATO's own numbers; the same as the backend's."""
    rules: NotRequired[BalancerRules]
    """How requests are balanced. The defaults keep every session on one server."""
    labels: NotRequired[Mapping[str, str]]
    """Labels on the container."""


class NginxBalancer(pulumi.ComponentResource):
    """nginx with a rendered configuration: unprivileged, read-only, stopped gracefully."""

    url: pulumi.Output[str]
    """Where clients on the Docker host reach KATO."""

    def __init__(
        self, name: str, args: NginxBalancerArgs, opts: Optional[pulumi.ResourceOptions] = None
    ) -> None:
        inputs = check(args)
        super().__init__("kato:index:NginxBalancer", name, {}, opts)
        text = pulumi.Output.from_input(args["servers"]).apply(inputs.configuration)
        # The same for every list of servers.
        rules = inputs.balancer(_ANY_SERVER)
        health = f"http://127.0.0.1:{rules.listener.private_port}{nginx.HEALTH_PATH}"
        child = pulumi.ResourceOptions(parent=self)
        live = live_configuration(
            name,
            program=_PROGRAM,
            image=inputs.image,
            files={_FILE: text},
            owner=_UNPRIVILEGED,
            child=child,
        )
        running = container(
            name,
            Service(
                image=inputs.image,
                alias=name,
                network=inputs.network,
                entrypoint=["sh"],
                command=watching(_PROGRAM),
                volumes={FOLDER: live.volume},
                ports=[
                    docker.ContainerPortArgs(
                        internal=rules.listener.port,
                        external=inputs.publish.port,
                        ip=inputs.publish.address,
                    )
                ],
                # The official image has curl, the Alpine one wget.
                health=["CMD-SHELL", f"curl -fsS {health} || wget -qO- {health}"],
                stop_signal="SIGQUIT",
                stop_seconds=rules.drain.seconds + _STOP_MARGIN_SECONDS,
                user=_UNPRIVILEGED,
                scratch=["/tmp"],  # noqa: S108 - inside the container
                labels=inputs.labels,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[live.ready]),
        )
        self.url = once_healthy(running, inputs.publish.url)
        self.register_outputs({"url": self.url})


class _Publication(Frozen):
    port: Port = 8080
    address: IpAddress = "127.0.0.1"

    @property
    def url(self) -> str:
        """Where a client on the Docker host finds it."""
        anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
        host = anywhere.get(self.address, self.address)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class _Inputs(Frozen):
    servers: Any
    network: Text | None = None
    image: ImageReference = IMAGE
    version: str | None = None
    publish: _Publication = _Publication()
    process: Mapping[str, Any] = {}
    rules: Mapping[str, Any] = {}
    labels: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _rules_only(self) -> Self:
        known = BalancerRules.__annotations__.keys()
        unknown = [name for name in self.rules if name not in known]
        if unknown:
            rule = "is not a known setting; check its spelling"
            raise refused_at("NginxBalancer", ((("rules", name), rule) for name in unknown))
        return self

    def target(self) -> targets.Version:
        """The nginx version to render for."""
        if self.version is not None:
            stated = self.version
            return attributed("version", lambda: targets.parse_version(stated))
        found = images.parse(self.image).version
        if found is None:
            rule = "is required when the image's tag states none, for example 1.30"
            raise refuse([Problem("version", rule)])
        return found

    def balancer(self, servers: Any) -> Balancer:
        """The model of these inputs in front of these servers."""
        resolver = None if self.network is None else {"address": DOCKER_RESOLVER}
        data = {
            **self.rules,
            "process": self.process,
            "pool": {"servers": servers},
            "resolver": resolver,
        }
        return checked(Balancer, data, _property_of)

    def configuration(self, servers: Any) -> str:
        """The rendered file for these servers."""
        balancer, version = self.balancer(servers), self.target()
        try:
            return nginx.render(balancer, version)
        except targets.UnsupportedFeature as error:
            # The resolver is not an input: Docker's is used where the version can.
            path = "version" if error.path in ("version", "resolver") else f"rules.{error.path}"
            raise refuse([Problem(path, error.message)]) from None


def check(args: NginxBalancerArgs) -> _Inputs:
    """The inputs with every default; raises InputPropertiesError when one is refused; creates
    nothing. Servers that are not known yet are checked when they are."""
    inputs = checked(_Inputs, args)
    inputs.configuration(inputs.servers if is_plain(inputs.servers) else _ANY_SERVER)
    return inputs


_ANY_SERVER = ({"name": "any", "host": "192.0.2.1"},)
"""Stands for servers that are not known yet, so that everything else can be checked."""


def _property_of(path: str) -> str:
    """The input that a field of the model comes from."""
    if path == "pool":
        return "servers"
    if path.startswith("pool."):
        return path.removeprefix("pool.")
    return path if path.startswith("process") else f"rules.{path}"
