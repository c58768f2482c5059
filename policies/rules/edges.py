"""Who may speak to whom, and what the edge shows."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from kato_balancing import kato

from ..balancers import Configuration
from ..findings import Hit, broken, each, judged, names_a_secret, shown
from ..relations import Stack
from ..resources import Resource
from ..rule import KATO_KNOBS, Knobs, Pack, Rule, Severity, switch, words
from ..selectors import selects
from ..values import Value, chosen, some
from ..workloads import DockerContainer, Pods
from . import balancer_texts as texts

_ANYWHERE: Final = ("0.0.0.0/0", "::/0")


def _isolated(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    yield from each(stack.pods, lambda pods: _pods(stack, pods, knobs))
    yield from each(stack.containers, lambda one: _network(one, knobs))


def _network(container: DockerContainer, knobs: Knobs) -> Iterator[Hit]:
    if not knobs.kato.is_one(container):
        return
    networks = container.props["networksAdvanced"]
    if not networks.items():
        yield broken(networks, "is empty: KATO is on the default network of all containers")


def _pods(stack: Stack, pods: Pods, knobs: Knobs) -> Iterator[Hit]:
    if not knobs.kato.are(pods):
        return
    policies = stack.network_policies(pods)
    for direction in ("Ingress", "Egress"):
        of_it = [one for one in policies if direction in _directions(one)]
        if not of_it:
            stack.missing(pods.labels)
            yield broken(pods.labels, f"are under no NetworkPolicy for {direction}")
    incoming = [one for one in policies if "Ingress" in _directions(one)]
    for policy in incoming:
        yield from each(policy.spec["ingress"].items(), _open)
    yield from judged(lambda: _cut(stack, pods, incoming, knobs))


def _directions(policy: Resource) -> list[str]:
    types = policy.spec["policyTypes"]
    if types.present:
        return types.texts()
    return ["Ingress", "Egress"] if policy.spec["egress"].present else ["Ingress"]


def _open(rule: Value) -> Iterator[Hit]:
    peers = rule["from"]
    if not peers.items():
        yield broken(peers, "is empty, which lets everybody in")
    for peer in peers.items():
        block = peer.at("ipBlock", "cidr").text()
        if block in _ANYWHERE:
            yield broken(peer.at("ipBlock", "cidr"), f"is '{block}', which lets everybody in")


def _cut(stack: Stack, pods: Pods, incoming: list[Resource], knobs: Knobs) -> Iterator[Hit]:
    before = {
        id(configuration): configuration
        for service in stack.services(pods)
        for configuration in stack.fronting(service)
    }
    maps = {one.urn for one in stack.near(pods.resource, "ConfigMap")}
    before |= {
        id(one): one
        for one in stack.configurations
        if one.resource.urn in maps and one.serves_kato(knobs.balancers, knobs.kato)
    }
    for configuration in before.values():
        for balancer in stack.carriers(configuration):
            if incoming and not some(incoming, partial(_admits, balancer, pods)):
                yield broken(
                    incoming[0].spec["ingress"],
                    f"does not let {balancer.resource.name} reach {pods.resource.name}",
                    f"allow the balancer's pods on port {kato.PORT}",
                )
            outgoing = [
                one for one in stack.network_policies(balancer) if "Egress" in _directions(one)
            ]
            if outgoing and not some(outgoing, lambda one: _lets_out(one, pods)):
                yield broken(
                    outgoing[0].spec["egress"],
                    f"does not let {balancer.resource.name} reach {pods.resource.name}",
                    f"allow KATO's pods on port {kato.PORT}",
                )


def _admits(balancer: Pods, pods: Pods, policy: Resource) -> bool:
    return some(
        policy.spec["ingress"].items(),
        lambda rule: _peers(rule["from"], balancer) and _on_port(rule["ports"], pods),
    )


def _lets_out(policy: Resource, pods: Pods) -> bool:
    return some(
        policy.spec["egress"].items(),
        lambda rule: _peers(rule["to"], pods) and _on_port(rule["ports"], pods),
    )


def _peers(peers: Value, pods: Pods) -> bool:
    return not peers.items() or some(
        peers.items(),
        lambda peer: (
            peer["ipBlock"].present
            or (not peer["podSelector"].present or selects(peer["podSelector"], pods.labels))
        ),
    )


def _on_port(ports: Value, pods: Pods) -> bool:
    own = [port for container in pods.containers for port in container["ports"].items()]

    def is_kato(port: Value) -> bool:
        wanted = port["port"]
        if not wanted.present:
            return True
        name = wanted.text()
        if name is not None:
            return some(
                own,
                lambda port: (
                    port["containerPort"].whole() == kato.PORT and port["name"].text() == name
                ),
            )
        last = port["endPort"].whole()
        first = wanted.whole()
        return first is not None and first <= kato.PORT <= (last or first)

    return not ports.items() or some(ports.items(), is_kato)


# The edge.

_OLD_TLS: Final = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1")
_NGINX_UNSAFE: Final = re.compile(r"load_module|include|ssl_engine|perl\w*|js_\w+|\w+_by_lua\w*")
_HAPROXY_UNSAFE: Final = re.compile(r"lua-\S+|insecure-\S+|external-check|program|ssl-engine")
_CREDENTIALS: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_HARMLESS: Final = re.compile(r"\d+|true|false|yes|no|on|off", re.IGNORECASE)


def _edge(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    if knobs.flag("requireTls"):
        yield from each(stack.of("Ingress"), _ingress)
        yield from each(stack.of("Gateway"), _gateway)
    allowed = knobs.texts("allowDirectives")
    yield from texts.in_stack(
        stack,
        knobs,
        texts.linted(texts.EDGE),
        _tls_versions,
        lambda one: _directives(one, allowed),
    )
    yield from each(stack.configurations, _readable)
    yield from each(stack.of("ConfigMap"), _config_map)
    yield from each(stack.pods, _environment)
    yield from each([one for one in stack.resources if one.kind], _annotations)


def _ingress(ingress: Resource) -> Iterator[Hit]:
    entries = ingress.spec["tls"].items()
    hosts = [name for entry in entries for name in entry["hosts"].texts()]
    if not entries:
        yield broken(ingress.spec["tls"], "is not set: sessions and data travel in plain text")
        return
    for rule in ingress.spec["rules"].items():
        host = rule["host"].text()
        if host is not None and hosts and not any(_covers(one, host) for one in hosts):
            yield broken(rule["host"], f"is {shown(host)}, for which tls has no certificate")


def _covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:]
    return pattern == host


def _gateway(gateway: Resource) -> Iterator[Hit]:
    listeners = gateway.spec["listeners"].items()
    safe = chosen(listeners, lambda one: one["protocol"].text() in ("HTTPS", "TLS"))
    if listeners and not safe:
        yield broken(listeners[0]["protocol"], "is not HTTPS, and no other listener is")


def _tls_versions(configuration: Configuration) -> Iterator[Hit]:
    if configuration.read.nginx is not None:
        for node in configuration.read.nginx.named("ssl_protocols"):
            old = [name for name in node.arguments if name in _OLD_TLS]
            if old:
                yield texts.at_line(
                    configuration, node.place.line, f"ssl_protocols has {', '.join(old)}",
                    "write ssl_protocols TLSv1.2 TLSv1.3;",
                )  # fmt: skip
    if configuration.read.haproxy is not None:
        for section in configuration.read.haproxy.sections:
            for line in section.lines:
                if line.after("ssl-min-ver") in _OLD_TLS:
                    yield texts.at_line(
                        configuration, line.place.line,
                        f"ssl-min-ver is {line.after('ssl-min-ver')}", "write ssl-min-ver TLSv1.2",
                    )  # fmt: skip


def _directives(configuration: Configuration, allowed: tuple[str, ...]) -> Iterator[Hit]:
    found: list[tuple[int, str]] = []
    if configuration.read.nginx is not None:
        found = [
            (node.place.line, node.name)
            for node in configuration.read.nginx.root.walk()
            if _NGINX_UNSAFE.fullmatch(node.name)
        ]
    if configuration.read.haproxy is not None:
        found = [
            (line.place.line, line.words[0])
            for section in configuration.read.haproxy.sections
            for line in section.lines
            if _HAPROXY_UNSAFE.fullmatch(line.words[0])
        ]
    for line, name in found:
        if name not in allowed:
            yield texts.at_line(
                configuration, line, f"{name} runs or reads what is not in this file",
                "remove it, or list it under allowDirectives",
            )  # fmt: skip


def _readable(configuration: Configuration) -> Iterator[Hit]:
    if configuration.read.program is not None and configuration.read.unreadable:
        yield broken(
            configuration.place,
            f"can't be read as a configuration: {configuration.read.unreadable}",
            "correct the file; the balancer would not start with it",
        )


_OUT: Final = "keep it in a Secret and refer to it"


def _config_map(config_map: Resource) -> Iterator[Hit]:
    data = config_map.props["data"]
    yield from each(
        [(name, value) for name, value in data.entries().items()],
        lambda entry: _secret(entry[0], entry[1]),
    )


def _secret(name: str, value: Value) -> Iterator[Hit]:
    if value.unknown and not names_a_secret(name):
        return  # Nothing speaks for a credential.
    text = value.text() or ""
    if names_a_secret(name) and text and not _HARMLESS.fullmatch(text):
        yield broken(value, "holds a credential, by its name (the value is not shown)", _OUT)
    elif _CREDENTIALS.search(text):
        yield broken(value, "holds a URL with a password (the value is not shown)", _OUT)


def _environment(pods: Pods) -> Iterator[Hit]:
    def one(entry: Value) -> Iterator[Hit]:
        name = entry["name"].text() or ""
        yield from _secret(name, entry["value"])

    for container in pods.all_containers:
        yield from each(container["env"].items(), one)


def _annotations(resource: Resource) -> Iterator[Hit]:
    annotations = resource.metadata["annotations"]
    if annotations.unknown:
        return
    for value in annotations.entries().values():
        if not value.unknown and _CREDENTIALS.search(value.text() or ""):
            yield broken(value, "holds a URL with a password (the value is not shown)", _OUT)


RULES: Final = (
    Rule(
        id="network-isolated",
        title="Only the balancer reaches KATO, and it does",
        pack=Pack.SECURITY,
        severity=Severity.HIGH,
        stack=_isolated,
        cure=f"add NetworkPolicies: ingress to KATO on port {kato.PORT} from the balancer's pods "
        "only, egress to its stores and DNS",
        why="KATO has no authentication: whoever reaches it can read and clear every session. A "
        "policy with a wrong label is an outage instead.",
        knobs=KATO_KNOBS,
        docker=True,
    ),
    Rule(
        id="edge-tls-and-config-safe",
        title="The edge speaks TLS, its configuration is plain, and secrets are Secrets",
        pack=Pack.SECURITY,
        severity=Severity.CRITICAL,
        stack=_edge,
        cure="give the Ingress or Gateway a certificate; keep private paths private",
        why="Templates that let users write directives were remote code execution in ingress-nginx "
        "(CVE-2025-1974); a ConfigMap is read by many who may not read Secrets.",
        knobs=(
            *KATO_KNOBS,
            words("allowDirectives", (), "Directives that may load code or files."),
            switch("requireTls", True, "An Ingress or Gateway needs TLS."),
        ),
        docker=True,
    ),
)
