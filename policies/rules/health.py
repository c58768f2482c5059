"""Best practice 2: a replica that can't serve is found and left out."""

import re
from collections.abc import Iterator
from typing import Final

from kato_balancing import kato

from ..balancers import Configuration
from ..findings import Hit, broken, each, shown
from ..relations import Stack
from ..resources import Resource
from ..rule import KATO_KNOBS, Knobs, Level, Pack, Rule, Severity, shaped, switch, word, words
from ..values import Value
from ..workloads import DockerContainer, Pods, kato_containers, pods_of
from . import balancer_texts as texts

_EXISTS: Final = re.compile(r"/sessions/[A-Za-z0-9_-]{1,128}/exists")
_SIZE: Final = re.compile(r"(\d+)([kmg]?)", re.IGNORECASE)
_UNIT: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
PATHS: Final = (kato.HEALTH_PATH, "/status", "/metrics", "/sessions/count")
"""Calls that KATO answers to GET with 200; ``/ready`` is none of them (404, measured)."""


def is_path_of_kato(path: str, more: tuple[str, ...] = ()) -> bool:
    """True for a path that a check may ask KATO for."""
    bare = path.partition("?")[0]
    return bare in (*PATHS, *more) or _EXISTS.fullmatch(bare) is not None


def _active_and_passive(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    yield from texts.in_stack(stack, knobs, texts.linted(texts.HEALTH))
    paths = knobs.texts("paths")

    def one(pods: Pods) -> Iterator[Hit]:
        if knobs.kato.are(pods):
            yield from each(kato_containers(pods, declared=True), probes)

    def probes(container: Value) -> Iterator[Hit]:
        readiness = container["readinessProbe"]
        if not readiness.present:
            yield broken(readiness, "is not set: a replica gets requests before it can serve them")
        kinds = ("readinessProbe", "livenessProbe", "startupProbe")
        yield from each([container[kind] for kind in kinds], asked)

    def asked(probe: Value) -> Iterator[Hit]:
        path = probe.at("httpGet", "path")
        text = path.text()
        if text is not None and not is_path_of_kato(text, paths):
            yield broken(path, f"is {shown(text)}, which KATO does not have: it answers 404")

    def docker(container: DockerContainer) -> Iterator[Hit]:
        if knobs.kato.is_one(container):
            tests = container.props.at("healthcheck", "tests")
            if not tests.texts() or tests.texts()[0] == "NONE":
                yield broken(tests, "is empty: Docker never learns that the replica hangs")

    yield from each(stack.pods, one)
    yield from each(stack.containers, docker)


def _zone_size(knobs: Knobs) -> int:
    found = _SIZE.fullmatch(knobs.text("minSize"))
    return int(found[1]) * _UNIT[found[2].lower()] if found else 0


def _zone(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    least = _zone_size(knobs)

    def size(configuration: Configuration) -> Iterator[Hit]:
        for upstream in configuration.read.nginx.upstreams if configuration.read.nginx else ():
            zone = upstream.get("zone")
            found = _SIZE.fullmatch(zone.arguments[1]) if zone and len(zone.arguments) > 1 else None
            if zone and found and int(found[1]) * _UNIT[found[2].lower()] < least:
                yield texts.at_line(
                    configuration, zone.place.line, f"zone {zone.first} has {zone.arguments[1]}"
                )

    yield from texts.resource_check(texts.ZONE, size)(resource, knobs)


def _expectation(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    yield from texts.resource_check(texts.EXPECTATION)(resource, knobs)
    pods = pods_of(resource)
    if pods is None or not knobs.kato.are(pods):
        return

    def readiness(container: Value) -> Iterator[Hit]:
        path = container.at("readinessProbe", "httpGet", "path")
        text = path.text()
        if text is not None and text.partition("?")[0] == kato.HEALTH_PATH:
            yield broken(
                path,
                f"is {shown(text)}, which answers 200 whatever KATO's stores do",
                f"ask for {knobs.text('deepPath')}, which answers 200 only when Redis does",
            )
        if knobs.flag("allowBody"):
            return
        command = container.at("readinessProbe", "exec", "command")
        if re.search(r"grep|jq|\.json\(\)", " ".join(command.texts())):
            yield broken(command, "looks into the body")

    yield from each(kato_containers(pods, declared=True), readiness)


RULES: Final = (
    Rule(
        id="lb-health-active-and-passive",
        title="Every server is checked by asking it, and by watching its answers",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.CRITICAL,
        practices=(2,),
        stack=_active_and_passive,
        cure=f"readiness GET {kato.REDIS_CHECK_PATH}, liveness GET {kato.HEALTH_PATH}; "
        "max_fails=2 fail_timeout=5s at nginx's servers, check and httpchk with GET at HAProxy's",
        why="The guide's readiness path /ready does not exist in KATO: such pods never get a "
        "request. Open source nginx has no active checks, so they must come from the orchestrator.",
        knobs=(*KATO_KNOBS, words("paths", (), "Further paths that a check may ask for.")),
        docker=True,
    ),
    Rule(
        id="lb-zone-shared",
        title="nginx's workers share what they know about the servers",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.HIGH,
        practices=(2,),
        resource=_zone,
        cure="write zone NAME 1m; in the upstream",
        why="Without a zone each worker counts failures alone: max_fails=3 with 8 workers sent 24 "
        "requests to a dead server, with a zone 3.",
        knobs=(
            *KATO_KNOBS,
            shaped(
                "minSize", "64k", r"^\d{1,6}[kmgKMG]?$", "The smallest zone, in nginx's notation."
            ),
        ),
        docker=True,
    ),
    Rule(
        id="lb-health-expectation",
        title="Readiness asks for more than a process that is alive, and never reads the body",
        pack=Pack.LOAD_BALANCING,
        level=Level.ADVISORY,
        severity=Severity.MEDIUM,
        practices=(2,),
        resource=_expectation,
        cure="ask by status only",
        why="/health is 200 while Redis is away, and its body reflects the host: matching it takes "
        "all replicas of a machine out at once.",
        knobs=(
            *KATO_KNOBS,
            word("deepPath", kato.REDIS_CHECK_PATH, "The path that the cure names."),
            switch("allowBody", False, "For other applications: a check may read the body."),
        ),
        docker=True,
    ),
)
