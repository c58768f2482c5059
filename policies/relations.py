"""The stack: what belongs to what, by names, namespaces, labels, else by dependency edges.

Every relation raises Undecided while an unknown value decides it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial

from . import selectors
from .balancers import Configuration, configurations
from .resources import OPAQUE, Resource
from .values import Undecided, Value, chosen, some, which
from .workloads import POD_KINDS, SCALED, DockerContainer, Pods, container_of, pods_of


@dataclass(eq=False)
class Stack:
    """Everything that a program registered, indexed once and shared by all rules."""

    resources: list[Resource]
    _memory: dict[tuple[str, str], list[Resource] | Undecided] = field(default_factory=dict)
    _places: dict[str, tuple[str, str] | Undecided] = field(default_factory=dict)

    @cached_property
    def by_urn(self) -> dict[str, Resource]:
        """Resources by URN."""
        return {resource.urn: resource for resource in self.resources}

    @cached_property
    def _by_kind(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            found.setdefault(resource.kind, []).append(resource)
        return found

    def of(self, *kinds: str) -> list[Resource]:
        """The Kubernetes objects of these kinds."""
        return [resource for kind in kinds for resource in self._by_kind.get(kind, ())]

    @cached_property
    def opaque(self) -> Resource | None:
        """A resource whose objects can't be seen here; what is missing may be in it."""
        return next((resource for resource in self.resources if resource.type in OPAQUE), None)

    @cached_property
    def pods(self) -> list[Pods]:
        """The Kubernetes workloads."""
        return [pods for pods in map(pods_of, self.resources) if pods is not None]

    @cached_property
    def scaled(self) -> list[Pods]:
        """Deployments and StatefulSets."""
        return [pods for pods in self.pods if pods.kind in SCALED]

    @cached_property
    def containers(self) -> list[DockerContainer]:
        """The Docker containers."""
        return [one for one in map(container_of, self.resources) if one is not None]

    @cached_property
    def configurations(self) -> list[Configuration]:
        """The balancers' configurations."""
        return [one for resource in self.resources for one in configurations(resource)]

    def missing(self, at: Value) -> None:
        """To be called before "there is none": raises Undecided when one may be hidden."""
        if self.opaque is not None:
            raise Undecided(at.urn, f"{at.path} (the objects of {self.opaque.name} are not seen)")

    # Namespaces.

    def near(self, resource: Resource, *kinds: str) -> list[Resource]:
        """The objects of these kinds but for those that are in another namespace for certain."""
        place = self._place(resource)
        found: list[Resource] = []
        for kind in kinds:
            by_place, unsure = self._index(kind)
            if isinstance(place, Undecided) or place[0] != "name":
                found += self.of(kind)
            else:
                found += (*by_place.get(place[1], ()), *unsure)
        return found

    def _index(self, kind: str) -> tuple[dict[str, list[Resource]], list[Resource]]:
        """The objects of a kind by namespace, and those whose namespace has no known name."""
        if kind not in self._indexes:
            by_place: dict[str, list[Resource]] = {}
            unsure: list[Resource] = []
            for one in self.of(kind):
                place = self._place(one)
                known = not isinstance(place, Undecided) and place[0] == "name"
                (by_place.setdefault(place[1], []) if known else unsure).append(one)  # type: ignore[index]
            self._indexes[kind] = by_place, unsure
        return self._indexes[kind]

    @cached_property
    def _indexes(self) -> dict[str, tuple[dict[str, list[Resource]], list[Resource]]]:
        return {}

    def pods_near(self, resource: Resource) -> list[Pods]:
        """The workloads that may be in the namespace of a resource."""
        return [self._pods[one.urn] for one in self.near(resource, *sorted(POD_KINDS))]

    @cached_property
    def _pods(self) -> dict[str, Pods]:
        return {pods.resource.urn: pods for pods in self.pods}

    def together(self, one: Resource, other: Resource) -> bool:
        """True when both objects are in one namespace."""
        first, second = self._namespace(one), self._namespace(other)
        if first == second:
            return True
        if first[0] == second[0] == "name":
            return False
        if first[0] == second[0] == "provider":
            return False
        raise Undecided(other.urn, "metadata.namespace")

    def _namespace(self, resource: Resource) -> tuple[str, str]:
        place = self._place(resource)
        if isinstance(place, Undecided):
            raise Undecided(place.urn, place.path)
        return place

    def _place(self, resource: Resource) -> tuple[str, str] | Undecided:
        if resource.urn not in self._places:
            try:
                self._places[resource.urn] = self._find_place(resource)
            except Undecided as undecided:
                self._places[resource.urn] = undecided
        return self._places[resource.urn]

    def _find_place(self, resource: Resource) -> tuple[str, str]:
        value = resource.metadata["namespace"]
        if not value.unknown:
            text = value.text()
            return ("name", text) if text else ("provider", resource.provider)
        edges = [
            edge
            for edge in resource.property_depends_on.get("metadata", ())
            if edge in self.by_urn and self.by_urn[edge].kind == "Namespace"
        ]
        if len(set(edges)) != 1:
            raise Undecided(value.urn, value.path)
        name = self.by_urn[edges[0]].metadata["name"].data
        return ("name", name) if isinstance(name, str) else ("object", edges[0])

    # Names.

    def named(self, name: Value, candidates: Iterable[Resource], near: Resource) -> list[Resource]:
        """The candidates of that name in the namespace of ``near``."""
        listed = list(candidates)
        if name.unknown:
            return [self._by_edge(name, listed, near)]
        text = name.text()
        if text is None:
            return []

        def is_it(candidate: Resource) -> bool:
            own = candidate.metadata["name"]
            if not own.unknown and own.data is not None and own.data != text:
                return False
            if not self.together(near, candidate):
                return False
            if own.data is None:  # named by the provider, after this check
                raise Undecided(own.urn, own.path)
            return bool(own.get() == text)

        found, open_question = which(listed, is_it)
        if not found:
            found = self._by_generated_name(text, listed, near, name)
        if not found and open_question is not None:
            raise open_question
        return found

    def _by_generated_name(
        self, text: str, candidates: list[Resource], near: Resource, name: Value
    ) -> list[Resource]:
        """The provider names what has no name NAME-1a2b3c4d; the referrer depends on it."""
        edges = self._edges(name, near)
        return [
            one
            for one in candidates
            if one.metadata["name"].data is None
            and one.urn in edges
            and text.startswith(f"{one.name}-")
        ][:1]

    def _edges(self, name: Value, near: Resource) -> set[str]:
        top = name.path.partition(".")[0].partition("[")[0]
        return set(near.property_depends_on.get(top, ()))

    def _by_edge(self, name: Value, candidates: list[Resource], near: Resource) -> Resource:
        edges = self._edges(name, near)
        found = [candidate for candidate in candidates if candidate.urn in edges]
        if len(found) != 1:
            raise Undecided(name.urn, name.path)
        return found[0]

    # Relations.

    def autoscaler_target(self, autoscaler: Resource) -> list[Pods]:
        """The workloads that an autoscaler scales; at most one when all is well."""
        key = ("target", autoscaler.urn)
        if key not in self._memory:
            target = autoscaler.spec["scaleTargetRef"]
            try:
                kind = target["kind"].text()
                candidates = self.near(autoscaler, kind) if kind in POD_KINDS else []
                self._memory[key] = self.named(target["name"], candidates, autoscaler)
            except Undecided as undecided:
                self._memory[key] = undecided
        return [self._pods[found.urn] for found in self._remembered(key)]

    def autoscalers(self, pods: Pods) -> list[Resource]:
        """The autoscalers of a workload."""
        return self._related(
            "autoscalers",
            pods,
            self.near(pods.resource, "HorizontalPodAutoscaler"),
            lambda one: any(
                found.resource is pods.resource for found in self.autoscaler_target(one)
            ),
        )

    def services(self, pods: Pods) -> list[Resource]:
        """The Services that select a workload's pods."""
        return self._related(
            "services",
            pods,
            self.near(pods.resource, "Service"),
            lambda one: self.service_selects(one, pods),
        )

    def service_selects(self, service: Resource, pods: Pods) -> bool:
        """True when the Service sends to these pods."""
        return selectors.selects_plain(service.spec["selector"], pods.labels) and self.together(
            service, pods.resource
        )

    def budgets(self, pods: Pods) -> list[Resource]:
        """The disruption budgets of a workload."""
        return self._related(
            "budgets",
            pods,
            self.near(pods.resource, "PodDisruptionBudget"),
            lambda one: (
                selectors.selects(one.spec["selector"], pods.labels)
                and self.together(one, pods.resource)
            ),
        )

    def network_policies(self, pods: Pods) -> list[Resource]:
        """The NetworkPolicies that a workload is under."""
        return self._related(
            "policies",
            pods,
            self.near(pods.resource, "NetworkPolicy"),
            lambda one: (
                selectors.selects(one.spec["podSelector"], pods.labels)
                and self.together(one, pods.resource)
            ),
        )

    def _related(
        self,
        relation: str,
        pods: Pods,
        candidates: list[Resource],
        holds: Callable[[Resource], bool],
    ) -> list[Resource]:
        key = (relation, pods.resource.urn)
        if key not in self._memory:
            try:
                self._memory[key] = chosen(candidates, holds)
            except Undecided as undecided:
                self._memory[key] = undecided
        return self._remembered(key)

    def _remembered(self, key: tuple[str, str]) -> list[Resource]:
        found = self._memory[key]
        if isinstance(found, Undecided):
            raise Undecided(found.urn, found.path)
        return found

    def replicas(self, pods: Pods) -> tuple[int, int]:
        """Least and most replicas that a workload can have."""
        autoscalers = self.autoscalers(pods)
        if autoscalers:
            least = autoscalers[0].spec["minReplicas"]
            most = autoscalers[0].spec["maxReplicas"].whole()
            low = least.whole() if least.present else 1
            return low or 0, most or low or 0
        if pods.kind not in SCALED:
            return 1, 1
        replicas = pods.resource.spec["replicas"]
        count = replicas.whole() if replicas.present else 1
        return count or 0, count or 0

    def fronting(self, service: Resource) -> list[Configuration]:
        """The balancers whose servers are this Service, by its DNS name."""
        name = service.metadata["name"]
        if not self._servers:
            return []
        text = name.text()
        if text is None:
            raise Undecided(name.urn, name.path)
        by_namespace = self._servers.get(text, {})
        namespace = service.metadata["namespace"].data
        places = (namespace, None) if isinstance(namespace, str) else tuple(by_namespace)
        found: dict[int, Configuration] = {}
        for place in places:
            for configuration, host in by_namespace.get(place, ()):
                if host != text or self.together(configuration.resource, service):
                    found[id(configuration)] = configuration
        return list(found.values())

    @cached_property
    def _servers(self) -> dict[str, dict[str | None, list[tuple[Configuration, str]]]]:
        """Host names of servers by the Service and the namespace (None: not said) in them."""
        found: dict[str, dict[str | None, list[tuple[Configuration, str]]]] = {}
        for configuration in self.configurations:
            if configuration.place.unknown:
                continue
            for host in configuration.read.hosts:
                for name, namespace in _services_in(host):
                    by_namespace = found.setdefault(name, {})
                    by_namespace.setdefault(namespace, []).append((configuration, host))
        return found

    def routes_to(self, service: Resource) -> list[tuple[Resource, Value]]:
        """Ingresses and HTTPRoutes that send to a Service, and where they say so."""
        found: list[tuple[Resource, Value]] = []
        for route in self.near(service, "Ingress", "HTTPRoute", "GRPCRoute"):
            for name in backend_names(route):
                if self.named(name, [service], route):
                    found.append((route, name))
        return found

    def carriers(self, configuration: Configuration) -> list[Pods]:
        """The workloads that mount a configuration's ConfigMap."""
        key = ("carriers", configuration.resource.urn)
        if key not in self._memory:
            self._memory[key] = [
                pods.resource
                for pods in self.pods_near(configuration.resource)
                if some(
                    mounted_config_maps(pods),
                    partial(self._is_of, configuration.resource, pods.resource),
                )
            ]
        return [self._pods[found.urn] for found in self._remembered(key)]

    def _is_of(self, resource: Resource, near: Resource, name: Value) -> bool:
        return bool(self.named(name, [resource], near))

    def docker_carriers(self, configuration: Configuration) -> list[DockerContainer]:
        """The running containers that have a configuration: uploaded, or on a shared volume."""
        own = container_of(configuration.resource)
        if own is None:
            return []
        if own.runs_on:
            return [own]
        volumes = _volumes(own)
        return [
            other
            for other in self.containers
            if other.resource is not own.resource and other.runs_on and volumes & _volumes(other)
        ]


def _services_in(host: str) -> list[tuple[str, str | None]]:
    """The Services, with their namespaces, that a server's host name may mean."""
    labels = host.split(".")
    if "svc" in labels[2:]:
        # [pod.]service.namespace.svc
        place = labels.index("svc", 2)
        return [(labels[place - 2], labels[place - 1])]
    return [(label, None) for label in dict.fromkeys(labels[:2])]


def backend_names(route: Resource) -> list[Value]:
    """The names of the Services that an Ingress or HTTPRoute sends to."""
    found: list[Value] = []
    if route.kind == "Ingress":
        backends = [route.spec["defaultBackend"]]
        for rule in route.spec["rules"].items():
            backends += [path["backend"] for path in rule.at("http", "paths").items()]
        found = [backend.at("service", "name") for backend in backends]
    else:
        for rule in route.spec["rules"].items():
            found += [
                # An unknown kind may be a Service's: the name is as good as unknown.
                reference["kind"] if reference["kind"].unknown else reference["name"]
                for reference in rule["backendRefs"].items()
                if reference["kind"].unknown or reference["kind"].data in (None, "Service")
            ]
    return [name for name in found if name.unknown or name.present]


def mounted_config_maps(pods: Pods) -> list[Value]:
    """The names of the ConfigMaps among a workload's volumes."""
    found: list[Value] = []
    for volume in pods.pod["volumes"].items():
        found.append(volume.at("configMap", "name"))
        found += [
            source.at("configMap", "name") for source in volume.at("projected", "sources").items()
        ]
    return [name for name in found if name.unknown or name.present]


def _volumes(container: DockerContainer) -> set[str]:
    names = (volume["volumeName"].data for volume in container.props["volumes"].items())
    return {name for name in names if isinstance(name, str)}
