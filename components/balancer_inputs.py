"""What a balancer component takes, whichever program it runs; checked before anything is made."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NotRequired, Self, TypedDict

import pulumi
from pydantic import model_validator

from kato_balancing import targets
from kato_balancing.fields import Frozen, ImageReference, IpAddress, Port, refused_at
from kato_balancing.model import Balancer
from kato_balancing.problems import Problem

from . import log_exporter
from .balancer_programs import CERTIFICATE, CURRENT, KEY, Program
from .balancing_args import BalancedServer, BalancerRules
from .canary_inputs import CanaryShare, CanaryStage
from .inputs import Text, checked, is_plain, refuse
from .process_args import KatoProcessSettings
from .tls_args import TlsFiles

DOCKER_RESOLVER = "127.0.0.11"
"""Docker's own DNS server, in every container on a network of the user's."""

ANY_SERVER = ({"name": "any", "host": "192.0.2.1"},)
"""Stands for servers that are not known yet, so that everything else can be checked."""


class Publication(TypedDict):
    """Where clients on the Docker host reach the balancer."""

    port: NotRequired[int]
    """Port of the host. Defaults to 8080."""
    address: NotRequired[str]
    """Address of the host. Defaults to 127.0.0.1: this machine only."""


class CanaryPool(TypedDict):
    """A second pool that gets a share of the sessions."""

    servers: pulumi.Input[Sequence[BalancedServer]]
    """The canary's servers."""
    share: float
    """Percent of the sessions, 0 to 100; raising it never moves a session back."""
    mode: NotRequired[str]
    """ALL_SESSIONS, or NEW_SESSIONS: only those that are born from a time on, so that no live one
    moves. Defaults to ALL_SESSIONS."""
    since: NotRequired[int]
    """With NEW_SESSIONS: the birth, in milliseconds since 1970, from which on the share counts.
    Required there."""
    earlier: NotRequired[Sequence[CanaryStage]]
    """With NEW_SESSIONS: the steps before, oldest first; their sessions stay where they are.
    Defaults to none."""


class BalancerArgs(TypedDict):
    """Inputs of NginxBalancer and HaproxyBalancer. One type for both: a schema takes no
    descriptions from a base class."""

    servers: pulumi.Input[Sequence[BalancedServer]]
    """Who serves: KatoBackend's servers, or any list."""
    network: NotRequired[pulumi.Input[str]]
    """Name of the Docker network that the servers are on. Defaults to Docker's own bridge, where
    servers need addresses instead of names."""
    image: NotRequired[str]
    """Image of the program. Defaults to nginx:1.30.4 and haproxy:3.2."""
    version: NotRequired[str]
    """Version of the program to write the configuration for. Defaults to what the image's tag
    states."""
    publish: NotRequired[Publication]
    """Where clients reach it."""
    tls: NotRequired[TlsFiles]
    """Defaults to none: plain HTTP."""
    canary: NotRequired[CanaryPool]
    """Defaults to none."""
    process: NotRequired[KatoProcessSettings]
    """KATO's own numbers; the same as the backend's."""
    rules: NotRequired[BalancerRules]
    """How requests are balanced. The defaults keep every session on one server."""
    log_volume: NotRequired[pulumi.Input[str]]
    """Name of a Docker volume with the socket of a log exporter, KatoMonitoring's log_volume: it
    gets a copy of the access log. Defaults to none."""
    labels: NotRequired[Mapping[str, str]]
    """Labels on the container."""


class Published(Frozen):
    """``Publication`` with its defaults."""

    port: Port = 8080
    address: IpAddress = "127.0.0.1"

    def url(self, scheme: str) -> str:
        """Where a client on the Docker host finds it."""
        anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
        host = anywhere.get(self.address, self.address)
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"


class _Tls(Frozen):
    certificate: Text
    key: Text


class _Canary(CanaryShare):
    servers: Any


class BalancerInputs(Frozen):
    """The inputs with every default. A balancer's own class says which program renders them."""

    program: ClassVar[Program]

    servers: Any
    network: Text | None = None
    image: ImageReference | None = None
    version: str | None = None
    publish: Published = Published()
    tls: _Tls | None = None
    canary: _Canary | None = None
    process: Mapping[str, Any] = {}
    rules: Mapping[str, Any] = {}
    log_volume: Text | None = None
    labels: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _rules_only(self) -> Self:
        known = BalancerRules.__annotations__.keys()
        unknown = [name for name in self.rules if name not in known]
        if unknown:
            rule = "is not a known setting; check its spelling"
            raise refused_at("Balancer", ((("rules", name), rule) for name in unknown))
        return self

    @property
    def image_used(self) -> str:
        """The image that runs."""
        return self.image or self.program.image

    @property
    def url(self) -> str:
        """Where a client on the Docker host finds it."""
        return self.publish.url("http" if self.tls is None else "https")

    @property
    def all_servers(self) -> dict[str, Any]:
        """The servers of both pools, as they were given."""
        canary = {} if self.canary is None else {"canary": self.canary.servers}
        return {"servers": self.servers, **canary}

    def target(self) -> targets.Version:
        """The program's version to render for."""
        return self.program.version(self.version, self.image_used, "version")

    def balancer(self, servers: Mapping[str, Any]) -> Balancer:
        """The model of these inputs in front of these servers of each pool."""
        files = {"certificate": f"{CURRENT}/{CERTIFICATE}", "key": f"{CURRENT}/{KEY}"}
        data = {
            **self.rules,
            "process": self.process,
            "pool": {"servers": servers["servers"]},
            "resolver": None if self.network is None else {"address": DOCKER_RESOLVER},
            "tls": None if self.tls is None else files,
            "log_socket": None if self.log_volume is None else log_exporter.SOCKET,
            "canary": self.canary and self.canary.model({"servers": servers["canary"]}),
        }
        return checked(Balancer, data, _property_of)

    def configuration(self, servers: Mapping[str, Any]) -> str:
        """The rendered file for these servers of each pool."""
        balancer, version = self.balancer(servers), self.target()
        try:
            return self.program.renderer.render(balancer, version)
        except targets.UnsupportedFeature as error:
            # The resolver is not an input: Docker's is used where the version can.
            path = "version" if error.path in ("version", "resolver") else _property_of(error.path)
            raise refuse([Problem(path, error.message)]) from None

    def checked(self) -> Self:
        """These inputs, after everything that is known could be rendered."""
        self.configuration(
            {
                pool: given if is_plain(given) else ANY_SERVER
                for pool, given in self.all_servers.items()
            }
        )
        return self

    def known_rules(self) -> Balancer:
        """The model without its servers: ports and times are the same for all of them."""
        return self.balancer(dict.fromkeys(self.all_servers, ANY_SERVER))


def _property_of(path: str) -> str:
    """The input that a field of the model comes from."""
    for inner, outer in (("canary.pool", "canary"), ("pool", "")):
        if path == inner:
            return f"{outer}.servers".lstrip(".")
        if path.startswith(inner + "."):
            return f"{outer}{path.removeprefix(inner)}".lstrip(".")
    first = path.partition(".")[0]
    return path if first in ("process", "canary", "tls") else f"rules.{path}"
