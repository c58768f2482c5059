"""Best practice 8: what stops first finishes what it has begun."""

from collections.abc import Iterator, MutableMapping
from typing import Any, Final

from kato_balancing import kato

from .. import image_references
from ..balancers import Configuration
from ..findings import Hit, broken, each, shown
from ..relations import Stack
from ..remedies import known, listed, mapping
from ..rule import KATO_KNOBS, Knobs, Pack, Rule, Severity, number
from ..values import Value
from ..workloads import DockerContainer, Pods, kato_containers, pause_seconds
from . import balancer_texts as texts

POD_GRACE: Final = 30.0
"""Kubernetes' default of terminationGracePeriodSeconds."""
DOCKER_GRACE: Final = 10.0
"""Docker's default of --stop-timeout."""
_SHELLS: Final = ("sh", "bash", "/bin/sh", "/bin/bash")


def _shutdown(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    yield from texts.in_stack(stack, knobs, texts.linted(texts.SHUTDOWN))
    yield from each(stack.pods, lambda pods: _pods(pods, knobs))
    yield from each(stack.containers, lambda one: _docker(one, knobs))
    yield from texts.in_stack(stack, knobs, lambda one: _balancer(stack, one))


def _pods(pods: Pods, knobs: Knobs) -> Iterator[Hit]:
    if not pods.runs_on or not knobs.kato.are(pods):
        return
    for container in kato_containers(pods, declared=True):
        hook = container.at("lifecycle", "preStop")
        if not hook.present:
            yield broken(hook, "is not set: requests are still sent to a KATO that stops")
        pause = pause_seconds(hook)
        if hook.present and pause is not None and pause < knobs.number("propagation"):
            yield broken(hook, f"waits {pause:g} s, less than {knobs.number('propagation'):g} s")
        grace = pods.pod["terminationGracePeriodSeconds"]
        seconds = grace.number() if grace.present else POD_GRACE
        needed = (pause or 0) + knobs.number("appDrain") + kato.FLUSH_SECONDS
        if seconds is not None and seconds < needed:
            yield broken(
                grace,
                f"is {seconds:g} s, less than the {needed:g} s of preStop, KATO's drain and its "
                "last writes",
            )


def _docker(container: DockerContainer, knobs: Knobs) -> Iterator[Hit]:
    if not knobs.kato.is_one(container):
        return
    needed = knobs.number("appDrain") + kato.FLUSH_SECONDS
    for name in ("stopTimeout", "destroyGraceSeconds"):
        value = container.props[name]
        seconds = value.number() if value.present else DOCKER_GRACE
        if seconds is not None and seconds < needed:
            yield broken(value, f"is {seconds:g} s, less than {needed:g} s")
    yield from _reacts(container)


def _reacts(container: DockerContainer) -> Iterator[Hit]:
    """PID 1 must hear SIGTERM: a shell that does not exec its program swallows it."""
    props = container.props
    if props["init"].flag():
        return
    words = [*props["entrypoints"].texts(), *props["command"].texts()]
    if len(words) > 2 and words[0] in _SHELLS and "exec " not in words[-1]:
        yield broken(
            props["command"],
            f"starts {shown(words[0])} as the first process, which keeps SIGTERM to itself",
            "write exec before the program, or set init",
        )


def _balancer(stack: Stack, configuration: Configuration) -> Iterator[Hit]:
    drain = configuration.read.drain_seconds
    if drain is None:
        return
    yield from each(
        stack.carriers(configuration),
        lambda pods: _covers(pods.pod["terminationGracePeriodSeconds"], POD_GRACE, drain),
    )
    for container in stack.docker_carriers(configuration):
        yield from _covers(container.props["stopTimeout"], DOCKER_GRACE, drain)
        signal = container.props["stopSignal"]
        image = container.image.text() or ""
        of_nginx = configuration.read.nginx is not None and "nginx" in image
        if of_nginx and signal.present and signal.text() not in ("SIGQUIT", "QUIT", "3"):
            yield broken(
                signal,
                f"is {shown(signal.text())}: nginx cuts requests at anything but SIGQUIT",
                "set stopSignal: SIGQUIT",
            )


def _covers(grace: Value, default: float, drain: float) -> Iterator[Hit]:
    seconds = grace.number() if grace.present else default
    if seconds is not None and seconds < drain:
        yield broken(
            grace,
            f"is {seconds:g} s, less than the balancer's own {drain:g} s",
            "give the balancer's container at least worker_shutdown_timeout or hard-stop-after",
        )


def _raise_grace(type_: str, props: MutableMapping[str, Any], knobs: Knobs) -> bool:
    """Where KATO's image is known and preStop says how long it waits."""
    pod = mapping(mapping(mapping(props, "spec"), "template"), "spec")
    if pod is None or type_.rpartition(":")[2] not in ("Deployment", "StatefulSet"):
        return False
    for container in listed(pod, "containers"):
        image = known(container, "image")
        if not isinstance(image, str) or not image_references.parse(image).is_kato:
            continue
        sleep = mapping(mapping(mapping(container, "lifecycle"), "preStop"), "sleep")
        pause = known(sleep, "seconds")
        grace = known(pod, "terminationGracePeriodSeconds")
        if not isinstance(pause, int | float) or grace is ...:
            continue
        needed = pause + knobs.number("appDrain") + kato.FLUSH_SECONDS
        if grace is None or (isinstance(grace, int | float) and grace < needed):
            pod["terminationGracePeriodSeconds"] = int(needed)
            return True
    return False


RULES: Final = (
    Rule(
        id="lb-graceful-shutdown",
        title="KATO and its balancer get the time to finish what they have begun",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.CRITICAL,
        practices=(8,),
        stack=_shutdown,
        cure="preStop: sleep 10 s; terminationGracePeriodSeconds 60 (preStop + "
        f"{kato.GRACEFUL_SHUTDOWN_SECONDS:g} s drain + {kato.FLUSH_SECONDS:g} s writes); on Docker "
        "stopTimeout and destroyGraceSeconds 40",
        why="Without a pause requests are sent to a pod that no longer accepts them; SIGKILL "
        "during the last writes loses acknowledged observations.",
        knobs=(
            *KATO_KNOBS,
            number("propagation", 10, "Seconds until all proxies know that a pod goes."),
            number("appDrain", kato.GRACEFUL_SHUTDOWN_SECONDS, "KATO's graceful shutdown."),
        ),
        docker=True,
        remedy=_raise_grace,
    ),
)
