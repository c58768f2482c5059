"""A balancer's container, whichever program it runs: unprivileged, reloaded, stopped gracefully."""

from functools import partial
from typing import Any

import pulumi
import pulumi_docker as docker

from . import log_exporter
from .balancer_inputs import BalancerInputs
from .balancer_programs import CERTIFICATE, FOLDER, KEY, PROGRAMS, Program
from .containers import Service, container, once_healthy
from .http_health import answers
from .live_configuration import live_configuration, watching

_STOP_MARGIN_SECONDS = 5
_UNPRIVILEGED = "10001:10001"


def balancer_container(
    name: str,
    inputs: BalancerInputs,
    *,
    parent: pulumi.Resource,
) -> pulumi.Output[str]:
    """Declare the container and its configuration; the URL, known once it is healthy."""
    child = pulumi.ResourceOptions(parent=parent)
    program = inputs.program
    given: Any = inputs.all_servers
    text = pulumi.Output.all(**given).apply(inputs.configuration)
    files: dict[str, pulumi.Input[str]] = {program.file: text}
    if inputs.tls is not None:
        files[CERTIFICATE] = inputs.tls.certificate
        files[KEY] = pulumi.Output.secret(inputs.tls.key)
    live = live_configuration(
        name,
        program=program,
        image=inputs.image_used,
        files=files,
        owner=_UNPRIVILEGED,
        child=child,
    )
    rules = inputs.known_rules()
    logged = {} if inputs.log_volume is None else {log_exporter.FOLDER: inputs.log_volume}
    running = container(
        name,
        Service(
            image=inputs.image_used,
            alias=name,
            network=inputs.network,
            entrypoint=["sh"],
            command=watching(program),
            volumes={FOLDER: live.volume, **logged},
            ports=[
                docker.ContainerPortArgs(
                    internal=rules.listener.port,
                    external=inputs.publish.port,
                    ip=inputs.publish.address,
                )
            ],
            health=answers(rules.listener.private_port, program.renderer.HEALTH_PATH),
            stop_signal=program.stop_signal,
            stop_seconds=rules.drain.seconds + _STOP_MARGIN_SECONDS,
            user=_UNPRIVILEGED,
            scratch=["/tmp"],  # noqa: S108 - inside the container
            labels=inputs.labels,
        ),
        pulumi.ResourceOptions(
            parent=parent, depends_on=[live.ready], aliases=_of_another_program(parent, program)
        ),
    )
    return once_healthy(running, inputs.url)


def _of_another_program(parent: pulumi.Resource, program: Program) -> list[pulumi.Alias]:
    """The container that a balancer of this name had before it ran this program: it is replaced,
    since the new one can't take the port while it runs. Its files are not: they are of no use."""
    return [
        pulumi.Alias(parent=parent.urn.apply(partial(_with_type, program.component, other)))
        for other in (known.component for known in PROGRAMS.values())
        if other != program.component
    ]


def _with_type(now: str, other: str, urn: str) -> str:
    before, _, name = urn.rpartition(f"{now}::")
    return f"{before}{other}::{name}"
