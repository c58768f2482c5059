"""What the Pod Security Standards leave open, the same for Docker, and images."""

import fnmatch
from collections.abc import Iterator, MutableMapping
from functools import partial
from typing import Any, Final

from .. import image_references
from ..findings import Hit, broken, each, judged, masked, shown
from ..remedies import mapping, set_in
from ..resources import Resource
from ..rule import KATO_KNOBS, Knobs, Pack, Rule, Severity, number, switch, words
from ..values import Value
from ..workloads import DockerContainer, Pods, container_of, pods_of

_SOCKET: Final = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
_NO_NEW_PRIVILEGES: Final = ("no-new-privileges", "no-new-privileges:true")


def _hardened(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    pods, container = pods_of(resource), container_of(resource)
    if pods is not None:
        yield from judged(lambda: _token(pods))
        yield from judged(lambda: _containers(pods, knobs))
    elif container is not None:
        for check in (_host, _ports, _limits):
            yield from judged(partial(check, container, knobs))


def _token(pods: Pods) -> Iterator[Hit]:
    mounted = pods.pod["automountServiceAccountToken"]
    if mounted.flag() is not False:
        yield broken(mounted, f"is {shown(mounted.flag())}: the pod can speak to the API server")


def _containers(pods: Pods, knobs: Knobs) -> Iterator[Hit]:
    of_pod = pods.pod["securityContext"]

    def one(container: Value) -> Iterator[Hit]:
        own = container["securityContext"]
        if own["readOnlyRootFilesystem"].flag() is not True:
            yield broken(own["readOnlyRootFilesystem"], "is not true")
        for name in ("runAsUser", "runAsGroup"):
            value = own[name] if own[name].present else of_pod[name]
            if not value.present:
                yield broken(value, "is not set, so the image decides")
            elif (value.number() or 0) < knobs.number("minUid"):
                yield broken(value, f"is {shown(value.number())}, a user of the node perhaps")

    yield from each(pods.all_containers, one)


def _host(container: DockerContainer, _: Knobs) -> Iterator[Hit]:
    props = container.props
    if props["privileged"].flag():
        yield broken(props["privileged"], "is true")
    for name in ("networkMode", "pidMode", "ipcMode", "usernsMode"):
        if props[name].text() == "host":
            yield broken(props[name], "is 'host'")
    places = [volume["hostPath"] for volume in props["volumes"].items()]
    places += [mount["source"] for mount in props["mounts"].items()]
    for place in places:
        if place.text() in _SOCKET:
            yield broken(place, "is the container engine's socket: whoever has it has the machine")
    if container.runs_on and not set(_NO_NEW_PRIVILEGES) & set(props["securityOpts"].texts()):
        yield broken(props["securityOpts"], "does not have 'no-new-privileges:true'")


def _ports(container: DockerContainer, knobs: Knobs) -> Iterator[Hit]:
    kato = knobs.kato.is_one(container)
    for port in container.props["ports"].items():
        if kato:
            yield broken(port, "is published: clients pass the balancer, and KATO asks nobody who "
                         "they are")  # fmt: skip
        elif port["ip"].text() is None:
            yield broken(port["ip"], "is not set: the port is open on every interface")
        external = port["external"]
        if not external.present or external.number() == 0:
            yield broken(external, "is not fixed: the container is replaced at every update")


def _limits(container: DockerContainer, knobs: Knobs) -> Iterator[Hit]:
    kato = knobs.kato.is_one(container)
    if kato and "ALL" not in container.props.at("capabilities", "drops").texts():
        yield broken(container.props.at("capabilities", "drops"), "does not have 'ALL'")
    if kato and container.props["readOnly"].flag() is not True:
        yield broken(container.props["readOnly"], "is not true")
    if knobs.flag("dockerMemory") and container.runs_on:
        memory = container.props["memory"]
        if not memory.number():
            yield broken(memory, "is not set: one container may take all of the machine's memory")


def _no_token(_: str, props: MutableMapping[str, Any], __: Knobs) -> bool:
    pod = mapping(mapping(mapping(props, "spec"), "template"), "spec")
    return pod is not None and set_in(pod, "automountServiceAccountToken", False, replacing=(None,))


def _pinned(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    pods, container = pods_of(resource), container_of(resource)
    if pods is not None:
        images = [one["image"] for one in pods.all_containers]
    elif container is not None:
        images = [container.image]
    else:
        return
    yield from each(images, lambda image: _image(image, knobs))


def _image(image: Value, knobs: Knobs) -> Iterator[Hit]:
    text = image.text()
    if text is None:
        yield broken(image, "is not set")
        return
    if text.startswith("sha256:"):
        return  # An image by its id, as Docker resources name it.
    reference = image_references.parse(text)
    registries = knobs.texts("registries")
    name = f"{reference.registry}/{reference.repository.removeprefix(reference.registry + '/')}"
    if registries and not any(fnmatch.fnmatchcase(name, f"{one}*") for one in registries):
        yield broken(image, f"is {shown(text)}, from a registry that is not allowed",
                     f"use one of {', '.join(registries)}")  # fmt: skip
    if reference.digest:
        return
    seen = f"is '{masked(text)}'"
    if reference.moves:
        yield broken(image, f"{seen}: what runs changes without a change here")
    elif knobs.flag("requireDigest"):
        yield broken(image, f"{seen}, without a digest: the tag can be moved")


RULES: Final = (
    Rule(
        id="container-hardening",
        title="Containers can't write their root, are no user of the node, and hold no token",
        pack=Pack.SECURITY,
        severity=Severity.HIGH,
        resource=_hardened,
        cure="readOnlyRootFilesystem: true with an emptyDir for scratch files, runAsUser and "
        "runAsGroup from 10000, automountServiceAccountToken: false; on Docker "
        "no-new-privileges:true, no published KATO port, ports with an ip, a memory limit",
        why="Each is one step less for whoever gets into a container; a published KATO port is "
        "open to anybody, for KATO has no authentication.",
        knobs=(
            *KATO_KNOBS[:1],
            number("minUid", 10000, "Smallest user and group."),
            switch("dockerMemory", True, "Docker containers need a memory limit."),
        ),
        docker=True,
        remedy=_no_token,
    ),
    Rule(
        id="image-pinned",
        title="An image is named so that it is always the same one",
        pack=Pack.SECURITY,
        severity=Severity.HIGH,
        resource=_pinned,
        cure="write name:tag@sha256:…; crane digest or docker buildx imagetools inspect show it",
        why="A tag is a pointer: two replicas of one deployment may run two programs.",
        knobs=(
            switch("requireDigest", True, "A fixed tag is not enough."),
            words("registries", (), "Allowed prefixes such as ghcr.io/acme; empty allows all."),
        ),
        docker=True,
    ),
)
