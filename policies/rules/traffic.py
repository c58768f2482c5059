"""Best practices 3 to 7: rollout, monitoring, timeouts, spare capacity, circuit breaking."""

import re
from collections.abc import Iterator, MutableMapping
from typing import Any, Final

from kato_balancing import kato

from ..balancers import Configuration
from ..findings import Hit, broken, each, judged, shown
from ..relations import Stack
from ..remedies import known, listed, mapping
from ..resources import Resource
from ..rule import KATO_KNOBS, Knobs, Level, Pack, Rule, Severity, number, switch
from ..values import Value, chosen
from ..workloads import Pods, kato_containers, pause_seconds, pods_of
from . import balancer_texts as texts

PROBE_TIMEOUT: Final = 1.0
PROBE_PERIOD: Final = 10.0
PROBE_FAILURES: Final = 3.0
"""Kubernetes' defaults of a probe (core/v1 Probe)."""


# Rollout.


def _rollout(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    yield from texts.resource_check(texts.ROLLOUT)(resource, knobs)
    pods = pods_of(resource)
    if pods is not None:
        yield from judged(lambda: _strategy(pods, knobs))
    if resource.kind in ("HTTPRoute", "GRPCRoute"):
        yield from each(resource.spec["rules"].items(), lambda rule: _weights(rule, knobs))
    if resource.kind == "Ingress":
        yield from judged(lambda: _canary(resource, knobs))


def _strategy(pods: Pods, knobs: Knobs) -> Iterator[Hit]:
    field = {"Deployment": "strategy", "StatefulSet": "updateStrategy"}.get(pods.kind)
    if field is None or not knobs.kato.are(pods):
        return
    kind = pods.resource.spec[field]["type"]
    if kind.text() not in (None, "RollingUpdate"):
        yield broken(kind, f"is {shown(kind.text())}: all replicas stop at once, or none follows")


def _weights(rule: Value, knobs: Knobs) -> Iterator[Hit]:
    references = rule["backendRefs"].items()
    if len(references) < 2:
        return
    found: list[int] = []
    for reference in references:
        weight = reference["weight"]
        count = whole_weight(weight)
        if count is None or count < 0:
            yield broken(weight, f"is {shown(weight.get())}, no whole number from 0 on")
            return
        found.append(count)
    if sum(found) == 0:
        yield broken(rule["backendRefs"], "has no weight above 0, so nothing is served")
    elif 100 * min(found) > knobs.number("maxCanary") * sum(found):
        share = 100 * min(found) / sum(found)
        yield broken(rule["backendRefs"], f"gives the smaller leg {share:.0f} %")


def whole_weight(weight: Value) -> int | None:
    """A backend's weight; 1 when it states none."""
    return weight.whole() if weight.present else 1


def _canary(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    weight = resource.metadata["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]
    text = weight.text()
    if text is None:
        return
    if not text.isdecimal() or int(text) > knobs.number("maxCanary"):
        yield broken(weight, f"is {shown(text)}")


# Monitoring.

_LOGGED: Final = ("$upstream_addr", "$upstream_status")
_TIMES: Final = ("$request_time", "$upstream_response_time")
"""Either says how long it took."""


def _monitoring(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    yield from texts.in_stack(stack, knobs, _metrics, _log)
    if knobs.flag("scrape"):
        yield from each(chosen(stack.scaled, knobs.kato.are), lambda pods: _scraped(stack, pods))


def _metrics(configuration: Configuration) -> Iterator[Hit]:
    tree, sections = configuration.read.nginx, configuration.read.haproxy
    if tree is not None and tree.whole and not tree.named("stub_status", "vhost_traffic_status"):
        yield texts.at_line(configuration, 1, "no location has stub_status")
    if sections is not None and sections.whole:
        exported = any(
            "prometheus-exporter" in line.words or line.starts("stats", "enable")
            for section in sections.entrances
            for line in section.lines
        )
        if not exported:
            yield texts.at_line(configuration, 1, "no frontend has a metrics endpoint or stats")


def _log(configuration: Configuration) -> Iterator[Hit]:
    tree, sections = configuration.read.nginx, configuration.read.haproxy
    if tree is not None and tree.whole:
        formats = {node.first: " ".join(node.arguments) for node in tree.named("log_format")}
        used = [node for node in tree.named("access_log") if len(node.arguments) > 1]
        full = any(
            all(variable in formats.get(node.arguments[1], "") for variable in _LOGGED)
            and any(variable in formats.get(node.arguments[1], "") for variable in _TIMES)
            for node in used
        )
        if not full:
            yield texts.at_line(
                configuration,
                1,
                "no access log has the server's address, status and time",
                f"write a log_format with {', '.join((*_LOGGED, _TIMES[0]))} and use it",
            )
    if sections is not None and sections.whole:
        logged = any(
            section.effective("log-format") or section.option("httplog")
            for section in sections.entrances
        )
        if not logged:
            yield texts.at_line(
                configuration, 1, "no frontend logs requests", "write option httplog or log-format"
            )


def _scraped(stack: Stack, pods: Pods) -> Iterator[Hit]:
    if pods.annotations["prometheus.io/scrape"].text() == "true":
        return
    if stack.of("ServiceMonitor", "PodMonitor"):
        return
    stack.missing(pods.annotations)
    yield broken(
        pods.annotations,
        "does not ask to be scraped, and the stack has no ServiceMonitor",
        "scrape /metrics-prom (KATO 3.10.2 or newer; /metrics is JSON) or an exporter",
    )


# Timeouts.


def _timeouts(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    yield from texts.in_stack(stack, knobs, texts.linted(texts.TIMEOUTS), _unlimited)

    def one(pods: Pods) -> Iterator[Hit]:
        if knobs.kato.are(pods):
            yield from each(
                kato_containers(pods, declared=True),
                lambda container: _probe_times(container, knobs),
            )

    yield from each(stack.pods, one)


def _unlimited(configuration: Configuration) -> Iterator[Hit]:
    names = ("proxy_connect_timeout", "proxy_read_timeout", "proxy_send_timeout")
    if configuration.read.nginx is not None:
        for node in configuration.read.nginx.named(*names):
            if re.fullmatch(r"0+(?:ms|s|m|h)?", node.first):
                yield texts.at_line(configuration, node.place.line, f"{node.name} is {node.first}")


def _number(value: Value, default: float) -> float:
    found = value.number() if value.present else default
    return default if found is None else found


def budget(probe: Value) -> float:
    """Seconds of failures until a probe acts."""
    return _number(probe["periodSeconds"], PROBE_PERIOD) * _number(
        probe["failureThreshold"], PROBE_FAILURES
    )


def _probe_times(container: Value, knobs: Knobs) -> Iterator[Hit]:
    readiness, liveness, startup = (
        container[kind] for kind in ("readinessProbe", "livenessProbe", "startupProbe")
    )
    yield from each((readiness, liveness, startup), too_slow)
    pause = pause_seconds(container.at("lifecycle", "preStop"))
    if readiness.present and pause is not None and budget(readiness) >= pause:
        yield broken(
            readiness,
            f"needs {budget(readiness):g} s to fail, preStop waits {pause:g} s: requests still "
            "come when KATO stops",
            "make readiness' period x failureThreshold less than the preStop pause",
        )
    if readiness.present and liveness.present and budget(liveness) < 2 * budget(readiness):
        yield broken(
            liveness,
            f"restarts after {budget(liveness):g} s, readiness needs {budget(readiness):g} s: a "
            "busy replica is restarted instead of left alone",
            "give liveness at least twice readiness' period x failureThreshold",
        )
    if startup.present and budget(startup) < knobs.number("bootSeconds"):
        yield broken(
            startup,
            f"gives up after {budget(startup):g} s",
            f"give startup at least {knobs.number('bootSeconds'):g} s",
        )


def too_slow(probe: Value) -> Iterator[Hit]:
    """A probe whose timeout is not below its period."""
    if not probe.present:
        return
    timeout = _number(probe["timeoutSeconds"], PROBE_TIMEOUT)
    period = _number(probe["periodSeconds"], PROBE_PERIOD)
    if timeout >= period and (timeout, period) != (PROBE_TIMEOUT, PROBE_TIMEOUT):
        yield broken(
            probe["timeoutSeconds"],
            f"is {timeout:g} s with a period of {period:g} s",
            "keep a probe's timeoutSeconds below its periodSeconds",
        )


def _shorten_probes(_: str, props: MutableMapping[str, Any], __: Knobs) -> bool:
    changed = False
    template = mapping(mapping(props, "spec"), "template")
    for container in listed(mapping(template, "spec"), "containers"):
        for kind in ("readinessProbe", "livenessProbe", "startupProbe"):
            probe = mapping(container, kind)
            timeout, period = known(probe, "timeoutSeconds"), known(probe, "periodSeconds")
            period = PROBE_PERIOD if period is None else period
            sound = isinstance(timeout, int | float) and isinstance(period, int | float)
            if probe is not None and sound and timeout >= period > 1:
                probe["timeoutSeconds"] = int(period) - 1
                changed = True
    return changed


# Spare capacity.


def _capacity(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    yield from texts.in_stack(stack, knobs, texts.linted(texts.BACKUP), _enough)
    least = int(knobs.number("minServers"))

    def one(pods: Pods) -> Iterator[Hit]:
        if knobs.kato.are(pods) and stack.replicas(pods)[0] < least:
            count = stack.replicas(pods)[0]
            place = pods.resource.spec["replicas"]
            yield broken(place, f"lets KATO have {count} replica(s): a restart is an outage")

    yield from each(stack.scaled, one)


def _enough(configuration: Configuration) -> Iterator[Hit]:
    sections = configuration.read.haproxy
    if sections is None:
        return
    for section in sections.backends:
        active = [s for s in section.servers if not {"backup", "disabled"} & set(s.parameters)]
        templates = any(server.is_template for server in section.servers)
        if not active or (len(section.servers) < 2 and not templates):
            yield texts.at_line(
                configuration,
                section.place.line,
                f"{section.title} has {len(active)} active server(s)",
            )


# Circuit breaking.


def _breaker(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    most = int(knobs.number("maxTries"))

    def tries(configuration: Configuration) -> Iterator[Hit]:
        for line, name, count in configuration.read.tries:
            if count > most or count == 0:
                yield texts.at_line(configuration, line, f"{name} is {count}")

    yield from texts.resource_check(texts.BREAKER, tries)(resource, knobs)


RULES: Final = (
    Rule(
        id="lb-gradual-rollout",
        title="A new version gets a bounded, whole share of the sessions, one replica at a time",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.HIGH,
        practices=(3,),
        resource=_rollout,
        cure="use RollingUpdate, whole weights with the stable leg above 0, and equal weights for "
        "equal replicas",
        why="Recreate stops every owner of a session at once; weights that are guessed or changed "
        "move sessions on a ring.",
        knobs=(
            *KATO_KNOBS,
            number("maxCanary", 50, "Largest share of a canary in per cent."),
        ),
        docker=True,
    ),
    Rule(
        id="lb-monitoring",
        title="The balancer shows figures to operators and logs which server answered",
        pack=Pack.LOAD_BALANCING,
        level=Level.ADVISORY,
        severity=Severity.MEDIUM,
        practices=(4,),
        stack=_monitoring,
        cure="give operators stub_status (nginx) or prometheus-exporter (HAProxy) on a listener "
        "of its own",
        why="Lost affinity shows in the log only: the same session with two server addresses.",
        knobs=(*KATO_KNOBS, switch("scrape", False, "KATO's pods must be scraped.")),
        docker=True,
    ),
    Rule(
        id="lb-timeouts-coherent",
        title="Timeouts of balancer, probes and KATO fit each other",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.HIGH,
        practices=(5,),
        stack=_timeouts,
        cure="connect 1 s, read 300 s, tries x connect <= window <= read; a probe's timeout below "
        "its period",
        why="A read timeout below KATO's slowest call makes clients repeat it while the first one "
        "still runs; a connect timeout of 10 s holds clients for each dead server.",
        knobs=(
            *KATO_KNOBS,
            number("bootSeconds", 10, "KATO's start-up time: 2 s, up to 7 s on a busy host."),
        ),
        docker=True,
        remedy=_shorten_probes,
    ),
    Rule(
        id="lb-upstream-keepalive",
        title="The balancer drops idle connections before KATO does",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.HIGH,
        practices=(5,),
        resource=texts.resource_check(texts.KEEP_ALIVE),
        cure="write keepalive 32; keepalive_timeout 4s; (nginx) or pool-purge-delay below "
        f"{kato.KEEP_ALIVE_SECONDS:g} s (HAProxy)",
        why=f"KATO closes a connection after {kato.KEEP_ALIVE_SECONDS:g} idle seconds; a POST sent "
        "at that moment fails: 6.5 % of the POSTs that came every 5 s were answered 502.",
        knobs=KATO_KNOBS,
        docker=True,
    ),
    Rule(
        id="lb-backup-capacity",
        title="One server can fail and the others take its sessions",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.HIGH,
        practices=(6,),
        stack=_capacity,
        cure="run and list at least two active servers, each once; no backup in a hashed upstream",
        why="With one server nginx ignores its failures, and its restart is an outage.",
        knobs=(*KATO_KNOBS, number("minServers", 2, "Fewest active servers.", minimum=1)),
        docker=True,
    ),
    Rule(
        id="lb-circuit-breaker",
        title="Retries are bounded and a failing or full server is left alone for a while",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.HIGH,
        practices=(7,),
        resource=_breaker,
        cure="write max_fails=2 fail_timeout=5s, proxy_next_upstream_tries and _timeout (nginx), "
        "option redispatch, maxconn and observe with on-error mark-down (HAProxy)",
        why="Unbounded retries turn one slow server into load on all; without redispatch a killed "
        "replica cost 39 to 42 requests and 41 % of the throughput.",
        knobs=(*KATO_KNOBS, number("maxTries", 3, "Most tries for one request.", minimum=1)),
        docker=True,
    ),
    Rule(
        id="lb-no-nonidempotent-retry",
        title="A request that was sent is not sent again unless it may be",
        pack=Pack.LOAD_BALANCING,
        severity=Severity.CRITICAL,
        practices=(7,),
        resource=texts.resource_check(texts.REPEATS),
        cure="leave non_idempotent out (nginx); http-request disable-l7-retry for POST, and no "
        "on-marked-down shutdown-sessions (HAProxy)",
        why="KATO's observe is a POST that appends: a repeated one is learned twice.",
        knobs=KATO_KNOBS,
        docker=True,
    ),
)
