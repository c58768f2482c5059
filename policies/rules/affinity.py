"""Best practice 1: a session's requests reach one process."""

from collections.abc import Iterator, MutableMapping
from typing import Any, Final

from kato_balancing import kato

from .. import image_references
from ..findings import Hit, broken, each, judged, shown
from ..relations import Stack
from ..remedies import known, mapping, set_in
from ..resources import Resource
from ..rule import KATO_KNOBS, Knobs, Level, Pack, Rule, Severity, number, switch, word, words
from ..values import Value
from ..workloads import (
    Pods,
    container_of,
    docker_variable,
    kato_containers,
    pods_of,
    variable,
)
from . import balancer_texts as texts

MODES: Final = ("SESSION", "CLIENT_IP", "COOKIE")
_CLIENT_IP_LIMIT: Final = 86400
"""The API server refuses a longer ``timeoutSeconds``."""
_CLIENT_IP_DEFAULT: Final = 10800
_COOKIE_ANNOTATIONS: Final = {
    "nginx.ingress.kubernetes.io/affinity": "cookie",
    "haproxy-ingress.github.io/affinity": "cookie",
    "traefik.ingress.kubernetes.io/service.sticky.cookie": "true",
    "nginx.org/sticky-cookie-services": "",
    "haproxy.org/cookie-persistence": "",
}
"""Annotation → the value that turns cookie affinity on; an empty one means any."""
_WORKERS_SINCE: Final = (3, 10, 0)
"""From this release on the image starts four processes unless KATO_WORKERS says one."""


def _session_affinity(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    yield from texts.in_stack(stack, knobs, texts.linted(texts.AFFINITY))

    def paths(pods: Pods) -> Iterator[Hit]:
        if not knobs.kato.are(pods) or stack.replicas(pods)[1] < 2:
            return
        yield from each(stack.services(pods), lambda service: _path(stack, service, knobs))

    yield from each(stack.scaled, paths)


def _path(stack: Stack, service: Resource, knobs: Knobs) -> Iterator[Hit]:
    modes = knobs.texts("modes")
    routes = stack.routes_to(service)
    for route, place in routes:
        if "COOKIE" in modes and not _has_cookie(route, service):
            yield broken(
                place,
                f"sends {shown(place.text())} its sessions without cookie affinity",
            )
    affine = service.spec["sessionAffinity"].text() == "ClientIP"
    public = service.spec["type"].text() in ("LoadBalancer", "NodePort")
    headless = service.spec["clusterIP"].text() == "None"
    balanced = bool(stack.fronting(service))
    if affine and "CLIENT_IP" in modes:
        return
    if public or not (routes or balanced or headless or _other_way(stack, service)):
        seen = shown(service.spec["sessionAffinity"].text() or "None")
        yield broken(
            service.spec["sessionAffinity"],
            f"is {seen}, and clients reach several replicas through it",
        )


def _other_way(stack: Stack, service: Resource) -> bool:
    """A balancer fronts the same pods by another Service, so that no client needs this one."""
    return any(
        stack.service_selects(service, pods)
        for other in stack.near(service, "Service")
        if other is not service and stack.fronting(other)
        for pods in stack.pods_near(service)
        if stack.service_selects(other, pods)
    )


def _has_cookie(route: Resource, service: Resource) -> bool:
    if route.kind == "Ingress":
        annotations = route.metadata["annotations"]
        own = service.metadata["annotations"]
        return any(
            found is not None and (not wanted or found == wanted)
            for name, wanted in _COOKIE_ANNOTATIONS.items()
            for found in (annotations[name].text(), own[name].text())
        )
    return any(rule["sessionPersistence"].present for rule in route.spec["rules"].items())


def _set_client_ip(type_: str, props: MutableMapping[str, Any], _: Knobs) -> bool:
    if not type_.endswith(":Service"):
        return False
    spec = mapping(props, "spec")
    selector = mapping(spec, "selector")
    if spec is None or selector is None or known(spec, "clusterIP") == "None":
        return False
    names = [known(selector, key) for key in ("app.kubernetes.io/name", "app")]
    tier = known(selector, "app.kubernetes.io/component")
    if (
        "kato" not in names
        or tier not in (None, "kato")
        or known(spec, "type") not in ("LoadBalancer", "NodePort")
    ):
        return False
    return set_in(spec, "sessionAffinity", "ClientIP", replacing=(None, "None"))


def _collapsed(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    def one(pods: Pods) -> Iterator[Hit]:
        if knobs.kato.are(pods):
            yield from each(stack.services(pods), behind)

    def behind(service: Resource) -> Iterator[Hit]:
        affinity = service.spec["sessionAffinity"]
        if affinity.text() != "ClientIP":
            return
        for route, _ in stack.routes_to(service):
            yield broken(
                affinity,
                f"is 'ClientIP' behind {route.kind} {route.name}: every client has the proxy's "
                "address, so one replica gets all of them",
            )
        for configuration in stack.fronting(service):
            yield broken(
                affinity,
                f"is 'ClientIP' behind the balancer of {configuration.resource.name}: every "
                "client has the balancer's address, so one replica gets all of them",
            )
        policy = service.spec["externalTrafficPolicy"]
        public = service.spec["type"].text() in ("LoadBalancer", "NodePort")
        if public and policy.text() != "Local":
            yield broken(
                policy,
                f"is {shown(policy.text() or 'Cluster')}: the client's address is replaced by a "
                "node's before the Service sees it",
                "set externalTrafficPolicy: Local",
            )

    yield from each(stack.pods, one)


def _ttl(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    yield from texts.in_stack(stack, knobs, texts.linted(texts.TTL))
    least = knobs.number("sessionTtl")

    def one(pods: Pods) -> Iterator[Hit]:
        if knobs.kato.are(pods):
            yield from each(stack.services(pods), of_service)

    def of_service(service: Resource) -> Iterator[Hit]:
        if service.spec["sessionAffinity"].text() == "ClientIP":
            timeout = service.spec.at("sessionAffinityConfig", "clientIP", "timeoutSeconds")
            seconds = timeout.number() if timeout.present else _CLIENT_IP_DEFAULT
            if seconds is not None and not least <= seconds <= _CLIENT_IP_LIMIT:
                yield broken(timeout, f"is {seconds:g} s")
        for route, _ in stack.routes_to(service):
            age = route.metadata["annotations"][
                "nginx.ingress.kubernetes.io/session-cookie-max-age"
            ]
            text = age.text()
            if text is not None and text.isdecimal() and int(text) < least:
                yield broken(age, f"is {text} s")

    yield from each(stack.pods, one)


def _raise_timeout(type_: str, props: MutableMapping[str, Any], knobs: Knobs) -> bool:
    spec = mapping(props, "spec") if type_.endswith(":Service") else None
    client = mapping(mapping(spec, "sessionAffinityConfig"), "clientIP")
    seconds = known(client, "timeoutSeconds")
    ttl = knobs.number("sessionTtl")
    if client is None or not isinstance(seconds, int | float) or seconds >= ttl:
        return False
    client["timeoutSeconds"] = int(ttl)
    return True


def _cookie_flags(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    yield from texts.resource_check(texts.COOKIE)(resource, knobs)
    if resource.kind == "Ingress":
        yield from judged(lambda: _ingress_cookie(resource, knobs))


def _ingress_cookie(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    annotations = resource.metadata["annotations"]
    prefix = "nginx.ingress.kubernetes.io/session-cookie-"
    if annotations["nginx.ingress.kubernetes.io/affinity"].text() != "cookie":
        return
    wanted = ["samesite"]
    if knobs.flag("requireSecure") and resource.spec["tls"].items():
        wanted.append("secure")
    for flag in wanted:
        if annotations[prefix + flag].text() is None:
            yield broken(annotations[prefix + flag], "is not set")


def _single_writer(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    pods, container = pods_of(resource), container_of(resource)
    name = knobs.text("workersEnv")
    if pods is not None and knobs.kato.are(pods):
        yield from each(
            kato_containers(pods, declared=True),
            lambda one: _one_process(one["image"], variable(one, name), name),
        )
    elif container is not None and knobs.kato.is_one(container):
        yield from _one_process(container.image, docker_variable(container, name), name)


def _one_process(image: Value, workers: Value, name: str) -> Iterator[Hit]:
    text = workers.text()
    if text is None:
        version = image_references.parse(image.text() or "").version
        if version is None or version >= _WORKERS_SINCE:
            yield broken(workers, f"lacks {name}: the image then starts 4 processes")
    elif text != "1":
        yield broken(workers, f"starts {shown(text)} processes")


_WORKERS = KATO_KNOBS[:1]

RULES: Final = (
    Rule(
        id="lb-session-affinity",
        title="Every path to several KATO replicas keeps a session on one of them",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.CRITICAL,
        practices=(1,),
        stack=_session_affinity,
        cure="put a balancer that hashes by the session in front (hash $session consistent), or "
        "give the route cookie affinity, or set sessionAffinity: ClientIP where clients reach the "
        "Service directly",
        why="KATO's session lock lives in one process. With 40 sessions and 40 overlapping writers "
        "27 % of the acknowledged observations were lost without affinity, none with it.",
        knobs=(
            *KATO_KNOBS,
            words("modes", MODES, "Kinds of affinity that count: SESSION, CLIENT_IP, COOKIE."),
        ),
        docker=True,
        remedy=_set_client_ip,
    ),
    Rule(
        id="lb-affinity-key-stable",
        title="The affinity key is the session and nothing else, on a consistent ring",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.CRITICAL,
        practices=(1,),
        resource=texts.resource_check(texts.KEY),
        cure="take the session from $uri with a class that has no slash, dot or question mark, "
        "else from the header, and write consistent",
        why="A key with the query string sends /sessions/abc and /sessions/abc?a=1 to two "
        "servers; HAProxy servers without id move when the list changes.",
        knobs=KATO_KNOBS,
        docker=True,
    ),
    Rule(
        id="lb-affinity-not-collapsed",
        title="Affinity by client address is not used behind a proxy",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.HIGH,
        practices=(1,),
        stack=_collapsed,
        cure="remove sessionAffinity from the Service and let the proxy keep the session (hash or "
        "cookie)",
        why="A Service sees the address of the proxy's pod, so all clients are one client and one "
        "replica takes all of the load.",
        knobs=_WORKERS,
    ),
    Rule(
        id="lb-affinity-ttl",
        title="Affinity is remembered for as long as a session lives",
        pack=Pack.LOAD_BALANCING,
        level=Level.ADVISORY,
        severity=Severity.MEDIUM,
        practices=(1,),
        stack=_ttl,
        cure=f"use at least {kato.SESSION_TTL_SECONDS} s (KATO's session life) and, for ClientIP, "
        f"at most {_CLIENT_IP_LIMIT} s",
        why="A session whose owner is forgotten moves to another replica while it is in use.",
        knobs=(
            *KATO_KNOBS,
            number("sessionTtl", kato.SESSION_TTL_SECONDS, "KATO's SESSION_TTL in seconds."),
        ),
        docker=True,
        remedy=_raise_timeout,
    ),
    Rule(
        id="lb-affinity-cookie-flags",
        title="A routing cookie is closed to scripts and other sites, and unique per server",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.MEDIUM,
        practices=(1,),
        resource=_cookie_flags,
        cure="set HttpOnly and SameSite (and Secure with TLS), no domain, one opaque value per "
        "server",
        why="A cookie that scripts or sister sites can set lets them choose the server; two "
        "servers with one value share a session.",
        knobs=(
            *KATO_KNOBS,
            switch("requireSecure", True, "Secure is asked for on an Ingress with TLS."),
        ),
        docker=True,
    ),
    Rule(
        id="lb-single-writer",
        title="Each KATO replica runs one process",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.CRITICAL,
        practices=(1,),
        resource=_single_writer,
        cure="set KATO_WORKERS to 1 and add replicas instead",
        why="Affinity ends at the replica: several worker processes behind one address share no "
        "session lock, so overlapping updates are lost as without a balancer.",
        knobs=(
            *_WORKERS,
            word("workersEnv", "KATO_WORKERS", "Variable with the number of processes."),
        ),
        docker=True,
    ),
)
