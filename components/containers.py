"""One way to declare a long-running container: restarted, waited for, stopped with patience."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

HEALTH_INTERVAL_SECONDS = 2
"""Docker asks for the first time after one interval, so it bounds how soon a start is noticed."""

START_LIMIT_SECONDS = 120
"""A container that is not healthy by then fails the deployment."""

_UPLOADED_MODE = "0644"


@dataclass(frozen=True, kw_only=True)
class Service:
    """What differs between one container and the next."""

    image: str
    alias: str
    """Name on the network."""
    network: pulumi.Input[str] | None
    health: Sequence[str]
    """Command in the form of Docker's HEALTHCHECK test."""
    stop_seconds: float
    """Time between the stop signal and SIGKILL."""
    command: pulumi.Input[Sequence[str]] | None = None
    entrypoint: Sequence[str] | None = None
    environment: pulumi.Input[Mapping[str, pulumi.Input[str]]] = field(default_factory=dict)
    files: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Path → content, written into the container before it starts."""
    volumes: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Path → volume name."""
    ports: Sequence[docker.ContainerPortArgs] = ()
    stop_signal: str | None = None
    user: str | None = None
    scratch: Sequence[str] = ()
    """Writable folders in memory. With them the container drops every capability, and its root
    is read-only unless files are written into it."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """Kernel settings of the container's own network."""
    labels: Mapping[str, str] = field(default_factory=dict)


def container(name: str, service: Service, opts: pulumi.ResourceOptions) -> docker.Container:
    """Declare the container. A change replaces it: the old one is stopped first."""
    environment = pulumi.Output.from_input(service.environment)
    return docker.Container(
        name,
        image=service.image,
        command=service.command,
        entrypoints=list(service.entrypoint) if service.entrypoint else None,
        envs=environment.apply(lambda given: [f"{k}={v}" for k, v in sorted(given.items())]),
        networks_advanced=None
        if service.network is None
        else [docker.ContainerNetworksAdvancedArgs(name=service.network, aliases=[service.alias])],
        ports=list(service.ports) or None,
        uploads=[
            docker.ContainerUploadArgs(file=path, content=content, permissions=_UPLOADED_MODE)
            for path, content in service.files.items()
        ],
        volumes=[
            docker.ContainerVolumeArgs(container_path=path, volume_name=volume)
            for path, volume in service.volumes.items()
        ],
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=list(service.health),
            interval=f"{HEALTH_INTERVAL_SECONDS}s",
            timeout="5s",
            retries=3,
            start_period="50s",
        ),
        wait=True,
        wait_timeout=START_LIMIT_SECONDS,
        restart="unless-stopped",
        stop_signal=service.stop_signal,
        stop_timeout=math.ceil(service.stop_seconds),
        # Without it the provider removes a container with SIGKILL.
        destroy_grace_seconds=math.ceil(service.stop_seconds),
        user=service.user,
        # Docker writes no file into a container with a read-only root.
        read_only=bool(service.scratch) and not service.files,
        tmpfs=dict.fromkeys(service.scratch, "") or None,
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]) if service.scratch else None,
        security_opts=["no-new-privileges:true"],
        sysctls=dict(service.sysctls) or None,
        log_driver="json-file",
        log_opts={"max-size": "10m", "max-file": "3"},
        labels=[
            docker.ContainerLabelArgs(label=label, value=value)
            for label, value in sorted(service.labels.items())
        ],
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                delete_before_replace=True,
                # The provider records a change of these without making it.
                replace_on_changes=["healthcheck", "tmpfs"],
            ),
        ),
    )


def once_healthy(running: docker.Container, value: pulumi.Input[str]) -> pulumi.Output[str]:
    """The value as an output that waits for the container, yet is known in a preview."""
    return pulumi.Output.all(running.wait, value).apply(lambda known: str(known[1]))
