"""Resources, updates, Services, references and API versions."""

import fnmatch
from collections.abc import Iterator, MutableMapping
from functools import partial
from typing import Any, Final

from kato_balancing.targets import parse_version

from ..amounts import int_or_percent
from ..findings import Hit, broken, each, judged, shown
from ..relations import Stack, backend_names
from ..remedies import mapping, set_in
from ..resources import Resource
from ..rule import Knobs, Level, Pack, Rule, Severity, shaped, switch, word, words
from ..selectors import is_empty, selects
from ..values import Value, chosen, some
from ..workloads import Pods, pods_of

VERSION: Final = r"^1\.\d{1,3}$"
_CPU_LIMITS: Final = ("optional", "required", "forbidden")
_MANY: Final = 4
"""Replicas from which a quarter of them is a whole number of pods that may be missing."""


def _resources(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    pods = pods_of(resource)
    if pods is None:
        return
    cpu_limit = knobs.text("cpuLimit")

    def one(container: Value) -> Iterator[Hit]:
        own = container["resources"]
        wanted = [("requests", "cpu"), ("requests", "memory"), ("limits", "memory")]
        if cpu_limit == "required":
            wanted.append(("limits", "cpu"))
        yield from each(wanted, lambda pair: missing(own, *pair))
        if cpu_limit == "forbidden" and own.at("limits", "cpu").present:
            yield broken(own.at("limits", "cpu"), "is set, which throttles a container that waits")

    def missing(own: Value, kind: str, name: str) -> Iterator[Hit]:
        if kind == "requests" and own.at("limits", name).data is not None:
            return  # A limit is taken as the request.
        if not own.at(kind, name).present:
            yield broken(own.at(kind, name), "is not set")

    yield from each(pods.containers, one)


def _rollout(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    if resource.kind == "Deployment":
        yield from judged(lambda: _deployment(resource))
    if resource.kind == "StatefulSet":
        yield from judged(lambda: _stateful(resource))
    ready = resource.spec["minReadySeconds"]
    if (
        knobs.flag("requireMinReady")
        and resource.kind in ("Deployment", "StatefulSet")
        and not (ready.number() or 0) > 0
    ):
        yield broken(ready, "is 0: a pod that falls over at once counts as updated")


def _deployment(resource: Resource) -> Iterator[Hit]:
    strategy = resource.spec["strategy"]
    kind = strategy["type"].text()
    if kind == "Recreate":
        yield broken(strategy["type"], "is 'Recreate': every replica is stopped first")
        return
    replicas = resource.spec["replicas"]
    count = replicas.whole() if replicas.present else None
    lost, more = (
        strategy.at("rollingUpdate", "maxUnavailable"),
        strategy.at("rollingUpdate", "maxSurge"),
    )
    if not lost.present:
        if count is None or 1 < count < _MANY:
            yield broken(lost, "is not set, which is 25 %")
    else:
        missing = int_or_percent(lost, count or _MANY, up=False)
        few = count is None or count < _MANY
        if missing is not None and missing > 0 and (few or 4 * missing > (count or 0)):
            yield broken(lost, f"is {shown(lost.get())}: replicas are missing during an update")
    if more.present and int_or_percent(more, count or _MANY, up=True) == 0:
        yield broken(more, f"is {shown(more.get())}: no replica is started before one is stopped")


def _stateful(resource: Resource) -> Iterator[Hit]:
    strategy = resource.spec["updateStrategy"]
    if strategy["type"].text() == "OnDelete":
        yield broken(strategy["type"], "is 'OnDelete': nothing is updated until pods are deleted")
    lost = strategy.at("rollingUpdate", "maxUnavailable")
    if lost.present and (int_or_percent(lost, _MANY, up=True) or 0) > 1:
        yield broken(lost, f"is {shown(lost.get())}: several replicas are missing at a time")


def _keep_all(type_: str, props: MutableMapping[str, Any], _: Knobs) -> bool:
    spec = mapping(props, "spec") if type_.endswith(":Deployment") else None
    rolling = mapping(mapping(spec, "strategy"), "rollingUpdate")
    if rolling is None or "maxSurge" not in list(rolling.keys()):
        return False
    if rolling["maxSurge"] in (0, "0", "0%"):
        return False
    quarter = (None, 1, "1", "25%", "50%", "100%")
    return set_in(rolling, "maxUnavailable", 0, replacing=quarter)


def _selects(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    def one(service: Resource) -> Iterator[Hit]:
        selector = service.spec["selector"]
        if service.spec["type"].text() == "ExternalName" or not selector.entries():
            return
        early = service.spec["publishNotReadyAddresses"]
        if early.flag():
            yield broken(early, "is true: pods get requests before they are ready")
        found = chosen(stack.pods_near(service), lambda pods: stack.service_selects(service, pods))
        if not found:
            stack.missing(selector)
            yield broken(selector, "matches no pods: requests are refused, and the update waits "
                         "about 10 minutes for endpoints")  # fmt: skip
        if len(found) > 1 and not knobs.flag("several"):
            names = ", ".join(pods.resource.name for pods in found)
            yield broken(selector, f"matches the pods of several workloads ({names})")
        for port in service.spec["ports"].items():
            yield from each(found, partial(_port, port))

    yield from each(stack.of("Service"), one)


def _port(port: Value, pods: Pods) -> Iterator[Hit]:
    target = port["targetPort"] if port["targetPort"].present else port["port"]
    declared = [one for container in pods.containers for one in container["ports"].items()]
    name = target.text()
    if name is not None and not name.isdecimal():
        there = some(declared, lambda one: one["name"].text() == name)
    else:
        number = int(name) if name is not None else target.whole()
        there = not declared or some(declared, lambda one: one["containerPort"].whole() == number)
    if not there:
        yield broken(target, f"is {shown(target.get())}, no port of {pods.resource.name}")


def _references(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    external = knobs.texts("external")
    yield from each(stack.of("Ingress", "HTTPRoute"), lambda route: _routes(stack, route, external))
    yield from each(stack.of("NetworkPolicy"), lambda policy: _isolated(stack, policy))
    yield from each(stack.pods, lambda pods: _used(stack, pods, external))


def _listed(name: str | None, external: tuple[str, ...]) -> bool:
    return name is None or any(fnmatch.fnmatchcase(name, one) for one in external)


def _routes(stack: Stack, route: Resource, external: tuple[str, ...]) -> Iterator[Hit]:
    def one(name: Value) -> Iterator[Hit]:
        found = stack.named(name, stack.near(route, "Service"), route)
        if found:
            return
        if not _listed(name.text(), external):
            stack.missing(name)
            yield broken(name, f"is {shown(name.text())}, no Service of the stack")

    yield from each(backend_names(route), one)


def _isolated(stack: Stack, policy: Resource) -> Iterator[Hit]:
    selector = policy.spec["podSelector"]
    if is_empty(selector):
        return
    if not some(
        stack.pods_near(policy),
        lambda pods: selects(selector, pods.labels) and stack.together(policy, pods.resource),
    ):
        stack.missing(selector)
        yield broken(selector, "matches no pods of the stack: it protects nothing")


def _used(stack: Stack, pods: Pods, external: tuple[str, ...]) -> Iterator[Hit]:
    def one(reference: tuple[str, Value]) -> Iterator[Hit]:
        kind, name = reference
        if stack.named(name, stack.near(pods.resource, kind), pods.resource) or _listed(
            name.text(), external
        ):
            return
        stack.missing(name)
        yield broken(name, f"is {shown(name.text())}, no {kind} of the stack")

    yield from each(_names(pods), one)


def _names(pods: Pods) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value]] = []
    account = pods.pod["serviceAccountName"]
    if account.unknown or account.data not in (None, "", "default"):
        found.append(("ServiceAccount", account))
    holders = [*pods.pod["volumes"].items()]
    for volume in pods.pod["volumes"].items():
        holders += volume.at("projected", "sources").items()
    for holder in holders:
        found += _of(holder["configMap"], "ConfigMap", "name")
        found += _of(holder["secret"], "Secret", "secretName")
        found += _of(holder["secret"], "Secret", "name")
    for container in pods.all_containers:
        for source in container["envFrom"].items():
            found += _of(source["configMapRef"], "ConfigMap", "name")
            found += _of(source["secretRef"], "Secret", "name")
        for entry in container["env"].items():
            found += _of(entry.at("valueFrom", "configMapKeyRef"), "ConfigMap", "name")
            found += _of(entry.at("valueFrom", "secretKeyRef"), "Secret", "name")
    return found


def _of(holder: Value, kind: str, key: str) -> list[tuple[str, Value]]:
    if holder.unknown:
        return [(kind, holder)]
    name = holder[key]
    needed = holder.present and holder["optional"].data is not True
    return [(kind, name)] if needed and (name.unknown or name.present) else []


_REMOVED: Final = {
    ("extensions/v1beta1", "*"): ("1.8", "1.16", "apps/v1 or networking.k8s.io/v1"),
    ("apps/v1beta1", "*"): ("1.9", "1.16", "apps/v1"),
    ("apps/v1beta2", "*"): ("1.9", "1.16", "apps/v1"),
    ("networking.k8s.io/v1beta1", "*"): ("1.19", "1.22", "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "*"): ("1.17", "1.22", "rbac.authorization.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "*"): ("1.16", "1.22", "apiextensions.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", "*"): ("1.14", "1.22", "scheduling.k8s.io/v1"),
    ("policy/v1beta1", "*"): ("1.21", "1.25", "policy/v1"),
    ("batch/v1beta1", "*"): ("1.21", "1.25", "batch/v1"),
    ("discovery.k8s.io/v1beta1", "*"): ("1.21", "1.25", "discovery.k8s.io/v1"),
    ("autoscaling/v2beta1", "*"): ("1.22", "1.25", "autoscaling/v2"),
    ("autoscaling/v2beta2", "*"): ("1.23", "1.26", "autoscaling/v2"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity"): ("1.24", "1.27", "storage.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", "*"): ("1.26", "1.29", "flowcontrol v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", "*"): ("1.29", "1.32", "flowcontrol v1"),
    ("core/v1", "Endpoints"): ("1.33", "", "discovery.k8s.io/v1 EndpointSlice"),
}
"""Deprecated in, removed in, replacement (the deprecated API migration guide of Kubernetes)."""


def _current(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    version = resource.api_version
    found = _REMOVED.get((version, "*")) or _REMOVED.get((version, resource.kind))
    if found is None:
        return
    target = parse_version(knobs.text("k8sVersion"))
    deprecated, removed, other = found
    place = resource.props["apiVersion"]
    if removed and target >= parse_version(removed):
        yield broken(place, f"is '{version}', removed in Kubernetes {removed}", f"use {other}")
    elif knobs.flag("deprecated") and target >= parse_version(deprecated):
        yield broken(place, f"is '{version}', deprecated since {deprecated}", f"use {other}")


_RETIRED: Final = "nginx.ingress.kubernetes.io/"


def _retired(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    if resource.kind == "IngressClass":
        controller = resource.spec["controller"]
        if controller.text() == "k8s.io/ingress-nginx":
            yield broken(controller, "is the retired ingress-nginx")
    if resource.kind != "Ingress":
        return
    annotations = resource.metadata["annotations"]
    for name in annotations.entries():
        if name.startswith(_RETIRED):
            yield broken(annotations[name], "speaks to the retired ingress-nginx")
    names = [
        resource.spec["ingressClassName"],
        annotations["kubernetes.io/ingress.class"],
    ]
    for value in names:
        if value.text() in knobs.texts("classes"):
            yield broken(value, f"is {shown(value.text())}, a class of the retired ingress-nginx")


RULES: Final = (
    Rule(
        id="resources-set",
        title="Every container says what it needs and how much memory it may take",
        pack=Pack.KUBERNETES,
        severity=Severity.HIGH,
        resource=_resources,
        cure="set requests for cpu and memory and a limit for memory",
        why="Without requests the scheduler packs a node until it swaps or kills, and an "
        "autoscaler on utilisation never acts.",
        knobs=(word("cpuLimit", "optional", "Whether a CPU limit is asked for.", *_CPU_LIMITS),),
    ),
    Rule(
        id="rollout-safe",
        title="An update starts a replica before it stops one",
        pack=Pack.KUBERNETES,
        severity=Severity.HIGH,
        practices=(3, 8),
        resource=_rollout,
        cure="use RollingUpdate with maxUnavailable: 0 and maxSurge: 1",
        why="A missing replica's sessions move to others and come back: twice a lost owner.",
        knobs=(switch("requireMinReady", False, "minReadySeconds must be above 0."),),
        remedy=_keep_all,
    ),
    Rule(
        id="service-selects-pods",
        title="A Service selects the pods of one workload and a port that they have",
        pack=Pack.KUBERNETES,
        severity=Severity.HIGH,
        stack=_selects,
        cure="use the labels of one workload's pod template and a declared port, and leave "
        "publishNotReadyAddresses out",
        why="A selector that matches nothing costs 10 minutes at deployment; one that matches "
        "two workloads mixes canary and stable.",
        knobs=(switch("several", False, "A Service may select several workloads."),),
    ),
    Rule(
        id="references-resolve",
        title="What a resource names is there",
        pack=Pack.KUBERNETES,
        severity=Severity.HIGH,
        stack=_references,
        cure="correct the name, or list it under external when it comes from elsewhere",
        why="A pod that names a missing Secret never starts, a route to a missing Service answers "
        "503, and both are accepted by the API server.",
        knobs=(words("external", (), "Names (with * and ?) that other stacks provide."),),
    ),
    Rule(
        id="api-versions-current",
        title="No object uses an API version that the cluster no longer has",
        pack=Pack.KUBERNETES,
        severity=Severity.HIGH,
        resource=_current,
        cure="use the current version",
        why="The API server refuses such an object, in the middle of an update.",
        knobs=(
            shaped("k8sVersion", "1.36", VERSION, "The cluster's version."),
            switch("deprecated", False, "Deprecated versions are found too."),
        ),
    ),
    Rule(
        id="retired-ingress-controller",
        title="Nothing depends on ingress-nginx",
        pack=Pack.KUBERNETES,
        level=Level.ADVISORY,
        severity=Severity.MEDIUM,
        resource=_retired,
        cure="use the Gateway API or another controller; keep sessions with the balancer tier",
        why="ingress-nginx gets no security fixes since March 2026.",
        knobs=(words("classes", ("nginx",), "Classes that ingress-nginx serves."),),
    ),
)
