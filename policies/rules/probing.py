"""Probes of any workload."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from ..findings import Hit, broken, each
from ..resources import Resource
from ..rule import Knobs, Pack, Rule, Severity, switch
from ..values import Value, some
from ..workloads import pods_of, port_number
from .traffic import too_slow

_KINDS: Final = ("readinessProbe", "livenessProbe", "startupProbe")


def _probes(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    pods = pods_of(resource)
    if pods is None or not pods.runs_on:
        return
    yield from each(pods.containers, lambda container: _container(container, knobs))


def _container(container: Value, knobs: Knobs) -> Iterator[Hit]:
    wanted = ["readinessProbe", "livenessProbe"]
    if knobs.flag("requireStartup"):
        wanted.append("startupProbe")
    yield from each([container[kind] for kind in wanted], _there)
    yield from each([container[kind] for kind in _KINDS], lambda probe: _sound(container, probe))
    yield from each([container[kind] for kind in _KINDS], too_slow)
    yield from each([container], _distinct)


def _there(probe: Value) -> Iterator[Hit]:
    if not probe.present:
        yield broken(probe, "is not set")


def _sound(container: Value, probe: Value) -> Iterator[Hit]:
    for kind in ("httpGet", "tcpSocket", "grpc"):
        handler = probe[kind]
        if not handler.present:
            continue
        host, port = handler["host"], handler["port"]
        if host.text():
            yield broken(host, "is set: the kubelet then asks another machine")
        number = port_number(container, port)
        declared = [port["containerPort"] for port in container["ports"].items()]
        if number is None and port.present:
            yield broken(port, "is no port that the container declares")
        elif declared and not some(declared, partial(_is_number, number)):
            yield broken(port, f"is {number}, which the container does not declare")


def _is_number(number: int | None, value: Value) -> bool:
    return value.whole() == number


def _distinct(container: Value) -> Iterator[Hit]:
    readiness, liveness = container["readinessProbe"], container["livenessProbe"]
    mine, other = readiness["httpGet"], liveness["httpGet"]
    if not (mine.present and other.present):
        return
    same_path = (mine["path"].text() or "/") == (other["path"].text() or "/")
    one, two = port_number(container, mine["port"]), port_number(container, other["port"])
    if same_path and one == two:
        yield broken(
            other["path"],
            f"is what readiness asks too ({other['path'].text() or '/'} on port {two}): what "
            "should only pause a replica restarts it",
        )


RULES: Final = (
    Rule(
        id="probes-distinct-and-complete",
        title="Every container that stays has a readiness and a different liveness probe",
        pack=Pack.KUBERNETES,
        severity=Severity.HIGH,
        practices=(2,),
        resource=_probes,
        cure="give readiness and liveness, with different calls, on a declared port, without host, "
        "the timeout below the period",
        why="One call for both restarts what should only be left alone for a while; a probe of an "
        "undeclared port mostly is a typing error that shows as a restart loop.",
        knobs=(switch("requireStartup", False, "A startup probe must be there too."),),
    ),
)
