"""NginxBalancer: an nginx container in front of any list of servers."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict

import pulumi
import pulumi_docker as docker

from kato_balancing import images, nginx, targets
from kato_balancing.model import Balancer

from .balancing_args import BalancedServer, BalancerRules
from .containers import Service, container, once_healthy
from .inputs import attributed, checked, is_plain, refuse, whole_numbers
from .process_args import KatoProcessSettings

IMAGE = "nginx:1.30.4"
"""First stable nginx with every fix that a balancer on the open network needs."""

DOCKER_RESOLVER = "127.0.0.11"
"""Docker's own DNS server, in every container on a network of the user's."""

_LOOPBACK = "127.0.0.1"
_CONFIGURATION = "/etc/kato/nginx.conf"
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
        check(args)
        super().__init__("kato:index:NginxBalancer", name, {}, opts)
        publish = args.get("publish", Publication())
        address, port = publish.get("address", _LOOPBACK), int(publish.get("port", 8080))
        servers = pulumi.Output.from_input(args["servers"])
        model = servers.apply(lambda known: balancer(args, known))
        text = model.apply(lambda made: nginx.render(made, version_of(args)))
        # The drain time is the same for every list of servers.
        drain = balancer(args, _ANY_SERVER).drain.seconds
        listen = balancer(args, _ANY_SERVER).listener
        health = f"http://127.0.0.1:{listen.private_port}{nginx.HEALTH_PATH}"
        running = container(
            name,
            Service(
                image=args.get("image", IMAGE),
                alias=name,
                network=args.get("network"),
                entrypoint=["nginx"],
                command=["-e", "/dev/stderr", "-c", _CONFIGURATION, "-g", "daemon off;"],
                files={_CONFIGURATION: text},
                ports=[docker.ContainerPortArgs(internal=listen.port, external=port, ip=address)],
                # The official image has curl, the Alpine one wget.
                health=["CMD-SHELL", f"curl -fsS {health} || wget -qO- {health}"],
                stop_signal="SIGQUIT",
                stop_seconds=drain + _STOP_MARGIN_SECONDS,
                user=_UNPRIVILEGED,
                scratch=["/tmp"],  # noqa: S108 - inside the container
                labels=args.get("labels", {}),
            ),
            pulumi.ResourceOptions(parent=self),
        )
        host = _LOOPBACK if address in ("0.0.0.0", "::") else address  # noqa: S104
        self.url = once_healthy(running, f"http://{host}:{port}")
        self.register_outputs({"url": self.url})


_ANY_SERVER: list[dict[str, Any]] = [{"name": "any", "host": "192.0.2.1"}]


def check(args: NginxBalancerArgs) -> None:
    """Raise InputPropertiesError when an input is refused; creates nothing.

    Servers that are not known yet are checked when they are.
    """
    attributed("image", lambda: images.parse(args.get("image", IMAGE)))
    version = version_of(args)
    publish = args.get("publish", Publication())
    port = whole_numbers(publish.get("port", 8080))
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
        raise refuse("publish.port", f"must be a whole number from 1 to 65535 (got {port!r})")
    address = publish.get("address", _LOOPBACK)
    if not _is_address(address):
        raise refuse("publish.address", f"must be an IP address of the host (got {address!r})")
    servers = args["servers"]
    known = servers if is_plain(servers) else _ANY_SERVER
    made = balancer(args, known)
    attributed("rules", lambda: nginx.render(made, version))


def balancer(args: NginxBalancerArgs, servers: Any) -> Balancer:
    """The model that the inputs and these servers describe."""
    rules: dict[str, Any] = dict(args.get("rules", {}))
    if args.get("network") is not None:
        rules["resolver"] = {"address": DOCKER_RESOLVER}
    model = {**rules, "pool": {"servers": servers}, "process": args.get("process", {})}
    return checked(Balancer, model)


def version_of(args: NginxBalancerArgs) -> targets.Version:
    """The nginx version to render for."""
    if "version" in args:
        return attributed("version", lambda: targets.parse_version(args["version"]))
    stated = images.parse(args.get("image", IMAGE)).version
    if stated is None:
        raise refuse("version", "is required when the image's tag states none, for example 1.30")
    return stated


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
