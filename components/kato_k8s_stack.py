"""KatoK8sStack: everything that KATO needs on Kubernetes, with every session on one process."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, NotRequired, Optional, Self, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pydantic import Field, model_validator

from kato_balancing import images, targets, urls
from kato_balancing.fields import Affinity, Frozen, Host, ImageReference, ServerName, refused_at
from kato_balancing.model import Balancer, Cookie
from kato_balancing.monitoring.exporter.server_names import NamedServer
from kato_balancing.problems import Problem
from kato_balancing.regions import Region, RegionAnswer

from . import log_exporter, redis_exporter
from .balancer_programs import CERTIFICATE, CURRENT, KEY, PROGRAMS, Program
from .balancing_args import BalancerRules
from .inputs import Later, Text, attributed, checked, refuse
from .kato_inputs import KatoInputs, Replicas, listed_ahead
from .kubernetes import balancer_tier as balancers
from .kubernetes import kato_tier as replicas
from .kubernetes import redis_exporter as redis_figures
from .kubernetes.autoscaling import Autoscaling, AutoscalingInputs, autoscaler
from .kubernetes.canary import TIER as CANARY
from .kubernetes.canary import CanaryInputs, ClusterCanary, canary_name, canary_tier
from .kubernetes.exposure import (
    ClusterExposure,
    ExposureInputs,
    Kind,
    assigned_addresses,
    expose,
    needs_secure_cookie,
)
from .kubernetes.labels import Labels
from .kubernetes.monitoring import ClusterMonitoring, LogExporter, MonitoringInputs, monitors
from .kubernetes.network_policies import (
    NetworkInputs,
    NetworkSettings,
    Ways,
    managed_ports,
    network_policies,
)
from .kubernetes.object_names import require_name
from .kubernetes.pods import NOTICE_SECONDS
from .kubernetes.resources import ContainerResources, Resources
from .kubernetes.stores import ClusterClickHouse, ClusterQdrant, ClusterRedis, StoreInputs, stores
from .process_args import KatoProcessSettings
from .tls_args import TlsFiles

ANSWER_SECONDS = 2
"""A balancer asks for the replicas' addresses this often."""

_LEARNING_MARGIN_SECONDS = 2
"""Between a pod's leaving and its name's, in a cluster that is busy."""

_SHORTEST_PAUSE_SECONDS = 10
"""The cluster's own parts need this long to learn that a pod goes."""

_DNS_NAME = "kube-dns.kube-system.svc"
"""The name that nearly every distribution gives its DNS server, whichever program it is."""

_ANY_NAMESPACE = "any"
"""Stands for a namespace that is not known yet, so that everything else can be checked."""

_WITHOUT_BALANCER = {"affinity", "cookie"}
"""Rules that mean something where no balancer of the stack's own is in the way."""


class BalancerPods(TypedDict):
    """The balancer's replicas; with SESSION and NONE affinity."""

    proxy: NotRequired[str]
    """nginx or haproxy. Defaults to nginx."""
    image: NotRequired[str]
    """Image of the program. Defaults to nginx:1.30.4 or haproxy:3.2."""
    version: NotRequired[str]
    """Version of the program to write the configuration for. Defaults to what the image's tag
    states."""
    replicas: NotRequired[int]
    """Defaults to 2. They agree on every session's owner; a learned table needs 1."""
    resources: NotRequired[ContainerResources]
    """Defaults to 0.1 cores and 128 MB."""


class ClusterDns(TypedDict):
    """The cluster's own DNS, by which a balancer finds the replicas."""

    address: NotRequired[str]
    """Name or address of the DNS server. Defaults to kube-dns in kube-system for nginx, and to
    what the node says for HAProxy, which takes an address only."""
    domain: NotRequired[str]
    """Defaults to cluster.local."""
    ttl_seconds: NotRequired[int]
    """Seconds that the DNS server keeps an answer. Defaults to 5, CoreDNS's own."""


class KatoK8sStackArgs(TypedDict):
    """Inputs of KatoK8sStack."""

    image: str
    """KATO's image with a tag or digest, 5.0.2 or newer."""
    namespace: NotRequired[pulumi.Input[str]]
    """Name of an existing namespace. Defaults to one of the stack's own, in which Kubernetes
    refuses every pod that is not restricted."""
    replicas: NotRequired[int]
    """Running replicas, 1 to 64; not together with autoscaling. Defaults to 3."""
    autoscaling: NotRequired[Autoscaling]
    """Let the load decide how many replicas run. Defaults to none."""
    canary: NotRequired[ClusterCanary]
    """A share of the sessions for another image; with SESSION and NONE affinity. Defaults to
    none."""
    process: NotRequired[KatoProcessSettings]
    """KATO's own numbers."""
    pause_seconds: NotRequired[float]
    """Seconds that a replica goes on serving when it shall stop, until the last balancer knows.
    Defaults to 15."""
    stop_seconds: NotRequired[float]
    """Seconds between SIGTERM and SIGKILL. Defaults to KATO's drain plus 15."""
    resources: NotRequired[ContainerResources]
    """What a replica asks of its node. Defaults to 0.5 cores and 512 MB."""
    service_name: NotRequired[str]
    """Part of every knowledge base's name: the same on all replicas, for ever. Defaults to
    "kato"."""
    environment: NotRequired[Mapping[str, pulumi.Input[str]]]
    """More variables for KATO; values that would stop it at start are refused."""
    redis: NotRequired[ClusterRedis]
    """Defaults to a managed Redis: append-only file, no eviction, its own volume."""
    clickhouse: NotRequired[ClusterClickHouse]
    """Defaults to none; KATO needs one to learn and predict."""
    qdrant: NotRequired[ClusterQdrant]
    """Defaults to none; KATO needs one for vectors only."""
    rules: NotRequired[BalancerRules]
    """How requests are balanced. The defaults keep every session on one replica."""
    balancer: NotRequired[BalancerPods]
    """The balancer's replicas."""
    exposure: NotRequired[ClusterExposure]
    """How clients reach it."""
    tls: NotRequired[TlsFiles]
    """TLS at the balancer. Defaults to none: plain HTTP, or TLS at the Ingress."""
    network: NotRequired[NetworkSettings]
    """Who may talk to whom."""
    dns: NotRequired[ClusterDns]
    """The cluster's own DNS."""
    monitoring: NotRequired[ClusterMonitoring]
    """Figures of the balancer's log for Prometheus. Defaults to none."""
    labels: NotRequired[Mapping[str, str]]
    """More labels on every object and pod."""


class KatoK8sStack(pulumi.ComponentResource):
    """KATO on Kubernetes: stores, replicas, balancer, autoscaler, disruption budgets, network
    policies and a way in.

    With SESSION affinity the replicas are a StatefulSet behind two balancers that agree on every
    session's owner. With CLIENT_IP, clients in the cluster reach the replicas through a Service
    that remembers addresses; with COOKIE, an Ingress controller or Gateway keeps them apart.
    """

    url: pulumi.Output[str]
    """Where clients reach KATO."""
    namespace: pulumi.Output[str]
    """The namespace that everything is in."""

    def __init__(
        self, name: str, args: KatoK8sStackArgs, opts: Optional[pulumi.ResourceOptions] = None
    ) -> None:
        inputs = check(args, name)
        for line in _advice(inputs):
            pulumi.log.warn(line)
        super().__init__("kato:index:KatoK8sStack", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = Labels(name, inputs.labels)
        self.namespace = pulumi.Output.from_input(inputs.namespace or _namespace(name, child))
        where: Any = {"labels": labels, "namespace": self.namespace, "child": child}
        found = stores(name, inputs, domain=inputs.dns.domain, **where)
        tier = replicas.KatoTier(
            name=name,
            inputs=inputs,
            affinity=inputs.affinity,
            replicas=None if inputs.autoscaling else inputs.fixed_replicas,
            resources=inputs.resources.or_else(cpu=0.5, memory_megabytes=512),
            pause_seconds=inputs.pause_seconds,
            stores=found.environment,
        )
        workload = replicas.kato_tier(tier, after=list(found.ready), **where)
        serving = [workload]
        if inputs.canary is not None:
            canary = canary_tier(tier, inputs.canary, inputs.canary_replicas)
            serving.append(replicas.kato_tier(canary, after=list(found.ready), **where))
        if inputs.autoscaling is not None:
            autoscaler(name, inputs.autoscaling, workload=workload, **where)
        if inputs.monitoring is not None:
            redis_figures.exporter_tier(
                f"{name}-{redis_figures.TIER}",
                image=inputs.monitoring.redis_exporter_image,
                url=found.environment.apply(lambda known: known["REDIS_URL"]),
                **where,
            )
        if inputs.network.policies:
            network_policies(name, inputs.network, _ways(inputs), **where)
        service = _front(name, inputs, tier, serving, where)
        expose(
            name,
            inputs.exposure,
            tier=inputs.front,
            port=inputs.port,
            cookie=inputs.cookie,
            **where,
        )
        assigned = inputs.exposure.kind is Kind.LOAD_BALANCER
        self.url = pulumi.Output.all(self.namespace, service.status if assigned else None).apply(
            lambda known: _url(name, inputs, *known)
        )
        self.register_outputs({"url": self.url, "namespace": self.namespace})


class _BalancerPods(Frozen):
    proxy: str = "nginx"
    image: ImageReference | None = None
    version: str | None = None
    replicas: Annotated[int, Field(ge=1, le=16)] = 2
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.proxy not in PROGRAMS:
            rule = f"must be one of {', '.join(PROGRAMS)} (got {self.proxy!r})"
            raise refused_at("Balancer", [(("proxy",), rule)])
        return self

    @property
    def program(self) -> Program:
        """What runs."""
        return PROGRAMS[self.proxy]

    @property
    def image_used(self) -> str:
        """The image that runs."""
        return self.image or self.program.image


class _Dns(Frozen):
    address: Host | None = None
    domain: Host = "cluster.local"
    ttl_seconds: Annotated[int, Field(ge=0, le=300)] = 5


class _Tls(Frozen):
    certificate: Text
    key: Text


class _Inputs(KatoInputs, StoreInputs):
    namespace: Annotated[ServerName, Later] | None = None
    replicas: Replicas | None = None
    autoscaling: AutoscalingInputs | None = None
    canary: CanaryInputs | None = None
    pause_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = NOTICE_SECONDS
    resources: Resources = Resources()
    rules: Mapping[str, Any] = {}
    balancer: _BalancerPods = _BalancerPods()
    exposure: ExposureInputs = ExposureInputs()
    tls: _Tls | None = None
    network: NetworkInputs = NetworkInputs()
    dns: _Dns = _Dns()
    monitoring: MonitoringInputs | None = None

    def store_variables(self) -> set[str]:
        """Names, in capitals, of the variables that say where a store is."""
        return self.variables()

    @property
    def fixed_replicas(self) -> int:
        """How many run where no autoscaler decides."""
        return self.replicas or 3

    @property
    def most_replicas(self) -> int:
        """How many may run without a change of the balancer."""
        if self.autoscaling is not None:
            return self.autoscaling.max_replicas
        return listed_ahead(self.fixed_replicas)

    @property
    def canary_replicas(self) -> int:
        """How many replicas the canary has."""
        least = self.fixed_replicas if self.autoscaling is None else self.autoscaling.min_replicas
        return (self.canary and self.canary.replicas) or least

    @cached_property
    def model(self) -> Balancer:
        """The rules as a model in front of servers somewhere."""
        return self.balancer_in("any", _ANY_NAMESPACE)

    @property
    def affinity(self) -> Affinity:
        """How a session finds its owner."""
        return self.model.affinity

    @property
    def has_balancer(self) -> bool:
        """False where the cluster's own means keep clients apart."""
        return has_balancer({"affinity": self.affinity})

    @property
    def front(self) -> str:
        """The tier that clients reach."""
        return balancers.TIER if self.has_balancer else replicas.TIER

    @property
    def cookie(self) -> Cookie | None:
        """The cookie that the controller in front sets."""
        return self.model.cookie_rules if self.affinity is Affinity.COOKIE else None

    @property
    def port(self) -> int:
        """The exposed Service's port."""
        return self.exposure.port or (443 if self.tls else 80)

    def version(self) -> targets.Version:
        """The balancer program's version to render for."""
        pods = self.balancer
        return pods.program.version(pods.version, pods.image_used, "balancer.version")

    def balancer_in(self, name: str, namespace: str) -> Balancer:
        """The model of the balancer of the stack of this name in this namespace."""
        # One balancer more than wanted runs during an update.
        alone = self.rules.get("learned") is not None and self.balancer.replicas == 1
        limits = {
            **self.rules.get("limits", {}),
            "balancers": 1 if alone else self.balancer.replicas + 1,
        }
        files = {"certificate": f"{CURRENT}/{CERTIFICATE}", "key": f"{CURRENT}/{KEY}"}
        data = {
            **self.rules,
            "process": self.process,
            "pool": self._pool(name, namespace, self.most_replicas),
            "canary": self._canary(name, namespace),
            "resolver": self._resolver(),
            "tls": None if self.tls is None else files,
            "limits": limits,
            "log_socket": None if self.monitoring is None else log_exporter.SOCKET,
        }
        return checked(Balancer, data, _property_of)

    def _canary(self, name: str, namespace: str) -> dict[str, Any] | None:
        if self.canary is None:
            return None
        count = listed_ahead(self.canary_replicas)
        return self.canary.model(self._pool(canary_name(name), namespace, count))

    def _pool(self, name: str, namespace: str, count: int) -> dict[str, Any]:
        """nginx finds pods by their SRV names, and their names are its ring's keys. HAProxy's ring
        has ids instead, and only a server that is listed keeps its own."""
        service = f"{replicas.headless_name(name)}.{namespace}.svc.{self.dns.domain}"
        if self.balancer.proxy == "nginx":
            return {"discovery": {"name": service, "service": replicas.PORT_NAME}}
        named = self._named(name, namespace, count)
        return {"servers": [{"name": one.name, "host": one.host} for one in named]}

    def named_servers(self, name: str, namespace: str) -> list[NamedServer]:
        """Every replica that may run in the stack of this name, by the name of its pod."""
        found = self._named(name, namespace, self.most_replicas)
        if self.canary is not None:
            count = listed_ahead(self.canary_replicas)
            found += self._named(canary_name(name), namespace, count)
        return found

    def _named(self, name: str, namespace: str, count: int) -> list[NamedServer]:
        service = f"{replicas.headless_name(name)}.{namespace}.svc.{self.dns.domain}"
        names = [f"{name}-{index}" for index in range(count)]
        return [NamedServer(one, f"{one}.{service}", replicas.PORT) for one in names]

    def _resolver(self) -> dict[str, Any]:
        """HAProxy reads the node's DNS from the pod, and would go on for half a minute with a pod
        whose name is gone; nginx needs a name, and forgets at once."""
        address = self.dns.address
        if self.balancer.proxy == "nginx":
            default = f"{_DNS_NAME}.{self.dns.domain}"
            return {"address": address or default, "valid": ANSWER_SECONDS}
        return {"address": address, "valid": ANSWER_SECONDS, "forget": self.forget_seconds}

    @property
    def forget_seconds(self) -> int:
        """Seconds until the balancer leaves a pod whose name is gone from DNS."""
        return ANSWER_SECONDS if self.balancer.proxy == "haproxy" else 0

    def configuration(self, name: str, namespace: str) -> str:
        """The balancer's file."""
        balancer, version = self.balancer_in(name, namespace), self.version()
        try:
            return str(self.balancer.program.renderer.render(balancer, version))
        except targets.UnsupportedFeature as error:
            path = "balancer.version" if error.path == "version" else _property_of(error.path)
            raise refuse([Problem(path, error.message)]) from None


def has_balancer(rules: Mapping[str, Any]) -> bool:
    """True when a stack with these rules has a balancer of its own; also for rules that are
    refused later."""
    return rules.get("affinity", Affinity.SESSION) not in (Affinity.CLIENT_IP, Affinity.COOKIE)


def check(args: KatoK8sStackArgs, name: str) -> _Inputs:
    """The inputs of a stack of this name with every default; raises InputPropertiesError when one
    is refused; creates nothing."""
    attributed("", lambda: require_name(name))
    inputs = checked(_Inputs, args)
    problems = [Problem(path, rule) for path, rule in _problems(inputs)]
    if problems:
        raise refuse(problems)
    if inputs.has_balancer:
        inputs.configuration(name, _ANY_NAMESPACE)
    return inputs


def _problems(inputs: _Inputs) -> Iterator[tuple[str, str]]:
    if inputs.replicas is not None and inputs.autoscaling is not None:
        yield (
            "replicas",
            "must not be given together with autoscaling, which decides it; remove one of them",
        )
    if "balancers" in inputs.rules.get("limits", {}):
        yield "rules.limits.balancers", "follows from balancer.replicas; remove it"
    learning = ANSWER_SECONDS + inputs.forget_seconds
    shortest = max(
        _SHORTEST_PAUSE_SECONDS, inputs.dns.ttl_seconds + learning + _LEARNING_MARGIN_SECONDS
    )
    if inputs.pause_seconds < shortest:
        yield (
            "pause_seconds",
            f"must be at least {shortest:g} (got {inputs.pause_seconds:g}): the DNS server keeps "
            f"an answer for {inputs.dns.ttl_seconds} s and a balancer takes {learning} s to ask "
            "again and to leave the replica; one that ends before loses requests",
        )
    if inputs.kept and inputs.namespace is None:
        for name in inputs.kept:
            yield (
                f"{name}.keep_data",
                "needs a namespace that outlives the stack: create one and give its name as "
                "namespace",
            )
    for group, part, defaults in (
        ("resources", inputs.resources, (0.5, 512)),
        ("balancer.resources", inputs.balancer.resources, balancers.RESOURCES),
        ("redis.resources", inputs.redis.resources, (0.1, inputs.redis.memory_megabytes)),
    ):
        for name, rule in part.or_else(*defaults).problems():
            yield f"{group}.{name}", rule
    for name, rule in inputs.exposure.problems(inputs.affinity, with_tls=inputs.tls is not None):
        yield f"exposure.{name}", rule
    if not inputs.has_balancer:
        yield from _unused(inputs)


def _unused(inputs: _Inputs) -> Iterator[tuple[str, str]]:
    why = f"has no effect with {inputs.affinity} affinity: the stack has no balancer of its own"
    for name in inputs.rules:
        if name not in _WITHOUT_BALANCER:
            yield f"rules.{name}", f"{why}; remove it, or use SESSION"
    if inputs.canary is not None:
        yield "canary", f"{why}; remove it, or use SESSION"
    if inputs.tls is not None:
        yield "tls", f"{why} that could end TLS; remove it, or use SESSION"
    if inputs.monitoring is not None:
        yield "monitoring", f"{why} whose log could be read; remove it, or use SESSION"
    if inputs.balancer != _BalancerPods():
        yield "balancer", f"{why}; remove it, or use SESSION"
    if inputs.cookie is not None and needs_secure_cookie(inputs.cookie, inputs.exposure):
        yield (
            "rules.cookie.same_site",
            "must not be none without exposure.tls_secret: browsers drop such a cookie; use lax",
        )


def _advice(inputs: _Inputs) -> Iterator[str]:
    advice = images.advice(images.parse(inputs.image))
    if advice is not None:
        yield advice
    if inputs.redis.url is None and inputs.redis.password is None:
        yield (
            "Redis has no password; only the network policies protect the sessions. "
            "Set redis.password to a secret."
        )
    if inputs.autoscaling is not None and inputs.autoscaling.memory_percent is not None:
        yield (
            "autoscaling.memory_percent adds replicas but hardly ever removes them: KATO's memory "
            "does not fall when the load does."
        )


def _property_of(path: str) -> str:
    """The input that a field of the model comes from."""
    first = path.partition(".")[0]
    if first == "resolver":
        return "dns.address"
    if first in ("process", "canary"):
        return "canary" if path.startswith("canary.pool") else path
    return "rules" if first == "pool" else f"rules.{path}"


def _namespace(name: str, child: pulumi.ResourceOptions) -> pulumi.Output[str]:
    modes = ("enforce", "audit", "warn")
    made = k8s.core.v1.Namespace(
        name,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            labels={f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes}
        ),
        opts=child,
    )
    return made.metadata.apply(lambda known: str(known.name))


def _ways(inputs: _Inputs) -> Ways:
    listener = inputs.model.listener
    return Ways(
        replicas=tuple(_replica_tiers("", inputs).values()),
        front=inputs.front,
        front_port=listener.port if inputs.has_balancer else replicas.PORT,
        private_port=listener.private_port if inputs.has_balancer else None,
        figures_ports=_figures_ports(inputs),
        managed=managed_ports(inputs),
        outside_ports=inputs.outside_ports(),
        outside_redis=inputs.outside_redis(),
        region_ports=_region_ports(inputs.model.region),
    )


def _replica_tiers(name: str, inputs: _Inputs) -> dict[str, str]:
    """Workload of the stack of this name → tier of its pods, for everything that runs KATO."""
    stable = {name: replicas.TIER}
    return stable if inputs.canary is None else {**stable, canary_name(name): CANARY}


def _region_ports(region: Region | None) -> list[int]:
    """Ports of the regions that the balancer itself sends requests to."""
    if region is None or region.answer is not RegionAnswer.PROXY:
        return []
    return sorted({urls.port(url) for url in region.others.values()})


def _figures_ports(inputs: _Inputs) -> dict[str, list[int]]:
    if inputs.monitoring is None:
        return {}
    found = {balancers.TIER: [log_exporter.PORT], redis_figures.TIER: [redis_exporter.PORT]}
    return {**found, replicas.TIER: [replicas.PORT]} if inputs.monitoring.monitors else found


def _exporter(name: str, inputs: _Inputs, where: Mapping[str, Any]) -> LogExporter | None:
    if inputs.monitoring is None:
        return None
    proxy = inputs.balancer.proxy
    if inputs.monitoring.monitors:
        monitors(
            name,
            inputs.monitoring,
            proxy=proxy,
            balancer_tier=balancers.TIER,
            balancer_private_port=balancers.PRIVATE,
            replica_tiers=_replica_tiers(name, inputs),
            **where,
        )
    return LogExporter(
        inputs=inputs.monitoring,
        proxy=proxy,
        connection_limit=inputs.model.process.connection_limit,
        servers=where["namespace"].apply(lambda known: inputs.named_servers(name, known)),
    )


def _front(
    name: str,
    inputs: _Inputs,
    tier: replicas.KatoTier,
    serving: list[pulumi.Resource],
    where: Mapping[str, Any],
) -> k8s.core.v1.Service:
    """The Service that clients reach, and the balancer behind it where there is one."""
    annotations = inputs.exposure.service_annotations(inputs.cookie)
    if not inputs.has_balancer:
        return replicas.direct_service(tier, port=inputs.port, annotations=annotations, **where)
    tls = None
    if inputs.tls is not None:
        tls = balancers.tls_files(inputs.tls.certificate, inputs.tls.key)
    balancers.balancer_tier(
        balancers.BalancerTier(
            name=f"{name}-balancer",
            program=inputs.balancer.program,
            image=inputs.balancer.image_used,
            replicas=inputs.balancer.replicas,
            resources=inputs.balancer.resources.or_else(*balancers.RESOURCES),
            rules=inputs.model,
            configuration=where["namespace"].apply(lambda known: inputs.configuration(name, known)),
            tls=tls,
            exporter=_exporter(name, inputs, where),
        ),
        after=serving,
        **where,
    )
    return balancers.balancer_service(
        name,
        port=inputs.port,
        load_balancer=inputs.exposure.kind is Kind.LOAD_BALANCER,
        annotations=annotations,
        **where,
    )


def _url(name: str, inputs: _Inputs, namespace: str, status: Any) -> str:
    exposure = inputs.exposure
    if exposure.kind in (Kind.INGRESS, Kind.GATEWAY):
        return f"{exposure.scheme}://{exposure.host}"
    host = f"{name}.{namespace}.svc.{inputs.dns.domain}"
    if exposure.kind is Kind.LOAD_BALANCER:
        host = next(iter(assigned_addresses(status)), host)
    scheme, usual = ("https", 443) if inputs.tls is not None else ("http", 80)
    return f"{scheme}://{host}" + ("" if inputs.port == usual else f":{inputs.port}")
