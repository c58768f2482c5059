"""What runs: pods from templates, and Docker containers."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from kato_balancing import kato

from . import image_references
from .resources import Resource
from .values import UNKNOWN, Value, some

TEMPLATED: Final = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"}
)
FINITE: Final = frozenset({"Job", "CronJob"})
SCALED: Final = frozenset({"Deployment", "StatefulSet"})
POD_KINDS: Final = TEMPLATED | {"CronJob", "Pod"}
_SLEEP: Final = re.compile(r"(?:^|[\s;&/])sleep\s+(\d+(?:\.\d+)?)s?\b")


@dataclass(frozen=True, eq=False)
class Pods:
    """A Kubernetes workload: an object and the template of its pods."""

    resource: Resource

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.resource.kind

    @property
    def name(self) -> Value:
        """The object's name in the cluster."""
        return self.resource.metadata["name"]

    @cached_property
    def template(self) -> Value:
        """The pod, or the pod's template."""
        props = self.resource.props
        if self.kind == "Pod":
            return props
        if self.kind == "CronJob":
            return props.at("spec", "jobTemplate", "spec", "template")
        return props.at("spec", "template")

    @cached_property
    def pod(self) -> Value:
        """The pod's spec."""
        return self.template["spec"]

    @property
    def labels(self) -> Value:
        """The pods' labels."""
        return self.template.at("metadata", "labels")

    @property
    def annotations(self) -> Value:
        """The pods' annotations."""
        return self.template.at("metadata", "annotations")

    @property
    def runs_on(self) -> bool:
        """False for jobs, which end."""
        return self.kind not in FINITE

    @property
    def containers(self) -> list[Value]:
        """The regular containers."""
        return self.pod["containers"].items()

    @property
    def all_containers(self) -> list[Value]:
        """Init, regular and ephemeral containers."""
        kinds = ("initContainers", "containers", "ephemeralContainers")
        return [container for kind in kinds for container in self.pod[kind].items()]


@dataclass(frozen=True, eq=False)
class DockerContainer:
    """A Docker container."""

    resource: Resource

    @property
    def props(self) -> Value:
        """The container's arguments."""
        return self.resource.props

    @property
    def image(self) -> Value:
        """The image's reference."""
        return self.props["image"]

    @property
    def runs_on(self) -> bool:
        """False for one that only does its work and ends: no network, or not kept running."""
        mode, must_run = self.props["networkMode"], self.props["mustRun"]
        return not (not mode.unknown and mode.data == "none") and must_run.data is not False


def pods_of(resource: Resource) -> Pods | None:
    """The workload that the resource is, or None."""
    return Pods(resource) if resource.kind in POD_KINDS else None


def container_of(resource: Resource) -> DockerContainer | None:
    """The container that the resource is, or None."""
    return DockerContainer(resource) if resource.is_container else None


def variable(container: Value, name: str) -> Value:
    """A variable of a pod's container: its value, unknown when it comes from elsewhere."""
    found = Value(container.urn, f"{container.path}.env", None)
    for entry in container["env"].items():
        if entry["name"].text() == name:
            found = (
                Value(entry.urn, entry["valueFrom"].path, UNKNOWN)
                if entry["valueFrom"].unknown or entry["valueFrom"].present
                else entry["value"]
            )
    sources = container["envFrom"]
    if found.data is None and (sources.unknown or sources.items()):
        return Value(sources.urn, sources.path, UNKNOWN)
    return found


def docker_variable(container: DockerContainer, name: str) -> Value:
    """A variable of a Docker container."""
    found = Value(container.resource.urn, "envs", None)
    for entry in container.props["envs"].items():
        text = entry.text() or ""
        if text.startswith(f"{name}="):
            found = Value(entry.urn, entry.path, text.partition("=")[2])
    return found


def pause_seconds(handler: Value) -> float | None:
    """How long a preStop hook waits, as far as it says so."""
    own = handler.at("sleep", "seconds").number()
    if own is not None:
        return own
    command = handler.at("exec", "command").texts()
    found = _SLEEP.findall(" ".join(command))
    return sum(map(float, found)) if found else None


def port_number(container: Value, port: Value) -> int | None:
    """A probe's or service's port as a number; a name is looked up at the container."""
    name = port.text()
    if name is None:
        return port.whole()
    if name.isdecimal():
        return int(name)
    for declared in container["ports"].items():
        if declared["name"].text() == name:
            return declared["containerPort"].whole()
    return None


def serves_kato(container: Value) -> bool:
    """True for a container with KATO's image."""
    image = container["image"].text()
    return image is not None and image_references.parse(image).is_kato


def kato_containers(pods: Pods, declared: bool) -> list[Value]:
    """The containers that run KATO; in a declared workload those that listen on its port."""
    containers = pods.containers
    own = [container for container in containers if serves_kato(container)]
    if own or not declared:
        return own
    listening = [
        container
        for container in containers
        if some(
            container["ports"].items(),
            lambda port: port["containerPort"].whole() == kato.PORT,
        )
    ]
    return listening or containers[:1]
