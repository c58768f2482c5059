"""GeoDns: a DNS server that sends each client to the nearest region that serves."""

import hashlib
from dataclasses import dataclass
from typing import Optional

import pulumi
import pulumi_docker as docker

from kato_balancing.geodns import GeoDns as Model
from kato_balancing.geodns import powerdns
from kato_balancing.hosts import bracketed

from .balancer_programs import CURRENT, FOLDER
from .containers import Service, container, once_healthy
from .geo_dns_args import GeoDnsArgs, ServerInputs, split
from .live_configuration import live_configuration, watching

_UNPRIVILEGED = "10001:10001"
_STOP_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class _NameServer:
    """How PowerDNS is run and how it takes another zone."""

    test: str
    run: str
    reload: str


class GeoDns(pulumi.ComponentResource):
    """PowerDNS with health-checked answers by region. Another zone, and so a region's drain, is
    tested and taken by the running server; other settings replace the container."""

    address: pulumi.Output[str]
    """Where the DNS server is asked, as address:port."""
    name: pulumi.Output[str]
    """The name that clients look up."""

    def __init__(
        self, name: str, args: GeoDnsArgs, opts: Optional[pulumi.ResourceOptions] = None
    ) -> None:
        dns, server = check(args)
        super().__init__("kato:index:GeoDns", name, {}, opts)
        running = _container(name, dns, server, self)
        publish = server.publish
        self.address = once_healthy(running, f"{bracketed(publish.address)}:{publish.port}")
        self.name = once_healthy(running, dns.name)
        self.register_outputs({"address": self.address, "name": self.name})


def check(args: GeoDnsArgs) -> tuple[Model, ServerInputs]:
    """The inputs with every default; raises InputPropertiesError when one is refused; creates
    nothing."""
    return split(args, ServerInputs)


def _container(
    name: str, dns: Model, server: ServerInputs, parent: pulumi.Resource
) -> docker.Container:
    files = powerdns.files(dns, CURRENT)
    program = _program(dns)
    live = live_configuration(
        name,
        program=program,
        image=server.image,
        files=dict(files),
        owner=_UNPRIVILEGED,
        child=pulumi.ResourceOptions(parent=parent),
    )
    at_start = "".join(files[file] for file in powerdns.READ_AT_START)
    return container(
        name,
        Service(
            image=server.image,
            alias=name,
            network=None,
            entrypoint=["sh"],
            command=watching(program),
            volumes={FOLDER: live.volume},
            ports=[
                docker.ContainerPortArgs(
                    internal=powerdns.PORT,
                    external=server.publish.port,
                    ip=server.publish.address,
                    protocol=protocol,
                )
                for protocol in ("tcp", "udp")
            ],
            health=["CMD-SHELL", powerdns.ready(dns)],
            stop_seconds=_STOP_SECONDS,
            user=_UNPRIVILEGED,
            scratch=["/tmp"],  # noqa: S108 - inside the container
            labels={
                **server.labels,
                # What is read at the start only: a change replaces the container.
                "kato.settings": hashlib.sha256(at_start.encode()).hexdigest()[:16],
            },
        ),
        pulumi.ResourceOptions(parent=parent, depends_on=[live.ready]),
    )


def _program(dns: Model) -> _NameServer:
    return _NameServer(
        test=f"sh {CURRENT}/{powerdns.TEST_FILE}",
        run=f"sh {CURRENT}/{powerdns.START_FILE}",
        reload=f"pdns_control --socket-dir=/tmp bind-reload-now {dns.zone}",
    )
