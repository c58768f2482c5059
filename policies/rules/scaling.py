"""Replicas, autoscaling and disruption."""

from collections.abc import Iterator, MutableMapping
from functools import partial
from typing import Any, Final

from .. import selectors
from ..amounts import int_or_percent
from ..findings import Hit, broken, each, judged, shown
from ..relations import Stack
from ..remedies import mapping, set_in
from ..resources import Resource
from ..rule import KATO_KNOBS, Knobs, Pack, Rule, Severity, number, switch
from ..selectors import is_empty
from ..values import Undecided, Value, which
from ..workloads import Pods, pods_of

_KATO = KATO_KNOBS[:1]
_HOSTNAME: Final = "kubernetes.io/hostname"
_ZONE: Final = "topology.kubernetes.io/zone"


def _minimum(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    def one(pods: Pods) -> Iterator[Hit]:
        kato = knobs.kato.are(pods)
        if pods.kind == "StatefulSet" and not kato and not knobs.flag("statefulSets"):
            return
        least = int(knobs.number("kato" if kato else "n"))
        count = stack.replicas(pods)[0]
        if count < least:
            scaled = stack.autoscalers(pods)
            place = scaled[0].spec["minReplicas"] if scaled else pods.resource.spec["replicas"]
            yield broken(place, f"lets {pods.resource.name} have {count} replica(s), not {least}")

    yield from each(stack.scaled, one)


def _target(stack: Stack, knobs: Knobs) -> Iterator[Hit]:  # noqa: ARG001
    yield from each(stack.of("HorizontalPodAutoscaler"), lambda one: _one_target(stack, one))
    yield from each(stack.scaled, lambda pods: _owned(stack, pods))


def _one_target(stack: Stack, autoscaler: Resource) -> Iterator[Hit]:
    def limits() -> Iterator[Hit]:
        least = autoscaler.spec["minReplicas"]
        most = autoscaler.spec["maxReplicas"].whole()
        low = least.whole() if least.present else 1
        if low is not None and low < 2:
            yield broken(least, f"is {low}: the last replica's restart is an outage")
        if low is not None and most is not None and most <= low:
            yield broken(
                autoscaler.spec["maxReplicas"], f"is {most}, not above minReplicas of {low}"
            )

    def target() -> Iterator[Hit]:
        reference = autoscaler.spec["scaleTargetRef"]
        if not stack.autoscaler_target(autoscaler):
            stack.missing(reference)
            kind, name = reference["kind"].text(), reference["name"].text()
            yield broken(reference["name"], f"is {shown(name)}, no {kind} in its namespace")

    yield from judged(limits)
    yield from judged(target)


def _owned(stack: Stack, pods: Pods) -> Iterator[Hit]:
    found = stack.autoscalers(pods)
    if not found:
        return
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        yield broken(found[1].spec["scaleTargetRef"], f"scales what {names} scale together")
    replicas = pods.resource.stated.at("spec", "replicas")
    if replicas.present:
        yield broken(
            replicas,
            f"is {shown(replicas.number())} although {found[0].name} owns the count: each update "
            "sets it back",
            "leave replicas out of what an autoscaler scales",
        )


def _requests(stack: Stack, knobs: Knobs) -> Iterator[Hit]:  # noqa: ARG001
    def one(autoscaler: Resource) -> Iterator[Hit]:
        targets = stack.autoscaler_target(autoscaler)
        for metric in autoscaler.spec["metrics"].items():
            kind = metric["type"].text()
            own = metric["resource" if kind == "Resource" else "containerResource"]
            if own.at("target", "type").text() != "Utilization":
                continue
            name = own["name"].text()
            if name is None:
                continue
            only = own["container"].text()
            for pods in targets:
                yield from each(pods.containers, partial(lacks, name=name, only=only))
        cpu = autoscaler.spec["targetCPUUtilizationPercentage"]
        if cpu.present:
            for pods in targets:
                yield from each(pods.containers, partial(lacks, name="cpu", only=None))

    def lacks(container: Value, name: str, only: str | None) -> Iterator[Hit]:
        if only is not None and container["name"].text() != only:
            return
        request = container.at("resources", "requests", name)
        limit = container.at("resources", "limits", name)
        if not request.present and not limit.present:
            yield broken(
                request, f"is not set, so the utilisation of {name} is undefined: nothing is scaled"
            )

    yield from each(stack.of("HorizontalPodAutoscaler"), one)


def _budget(stack: Stack, knobs: Knobs) -> Iterator[Hit]:
    yield from each(stack.scaled, lambda pods: _covered(stack, pods, knobs))
    yield from each(stack.of("PodDisruptionBudget"), _form)


def _form(budget: Resource) -> Iterator[Hit]:
    least, most = budget.spec["minAvailable"], budget.spec["maxUnavailable"]
    if least.present == most.present:
        both = "both are set" if least.present else "neither it nor maxUnavailable is set"
        yield broken(least, f"and maxUnavailable: {both}" if least.present else f"is open: {both}")
    policy = budget.spec["unhealthyPodEvictionPolicy"]
    if policy.text() != "AlwaysAllow":
        yield broken(
            policy,
            f"is {shown(policy.text() or 'IfHealthyBudget')}: pods that never get ready block a "
            "node's drain for ever",
            "set unhealthyPodEvictionPolicy: AlwaysAllow",
        )


def _covered(stack: Stack, pods: Pods, knobs: Knobs) -> Iterator[Hit]:
    least, most = stack.replicas(pods)
    if most < 2:
        return
    found = stack.budgets(pods)
    if not found:
        stack.missing(pods.labels)
        yield broken(pods.labels, "are in no PodDisruptionBudget: a drain may stop all replicas")
    elif len(found) > 1:
        names = ", ".join(one.name for one in found)
        yield broken(pods.labels, f"are in {len(found)} PodDisruptionBudgets ({names})")
    for budget in found:
        yield from each([budget], lambda one: _allows(one, least, knobs))


def _allows(budget: Resource, replicas: int, knobs: Knobs) -> Iterator[Hit]:
    kept, lost = budget.spec["minAvailable"], budget.spec["maxUnavailable"]
    if kept.present:
        needed = int_or_percent(kept, replicas, up=True)
        if needed is not None and needed >= replicas:
            yield broken(
                kept, f"is {shown(kept.get())} of {replicas} replicas: no pod may ever be evicted"
            )
    if lost.present:
        allowed = int_or_percent(lost, replicas, up=True)
        if allowed == 0:
            yield broken(lost, f"is {shown(lost.get())}: no pod may ever be evicted")
        elif allowed is not None and 100 * allowed > knobs.number("maxPercent") * replicas:
            yield broken(lost, f"is {shown(lost.get())} of {replicas} replicas")


def _always_allow(type_: str, props: MutableMapping[str, Any], _: Knobs) -> bool:
    spec = mapping(props, "spec") if type_.endswith(":PodDisruptionBudget") else None
    return spec is not None and set_in(
        spec, "unhealthyPodEvictionPolicy", "AlwaysAllow", replacing=(None, "IfHealthyBudget")
    )


def _spread(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    pods = pods_of(resource)
    if pods is None or pods.kind not in ("Deployment", "StatefulSet"):
        return
    replicas = resource.stated.at("spec", "replicas")
    if replicas.present and (replicas.whole() or 0) < 2:
        return
    for key in (_HOSTNAME, *((_ZONE,) if knobs.flag("requireBoth") else ())):
        found, open_question = which(_terms(pods, key), lambda term: _own(term, pods))
        if not found and open_question is not None:
            raise open_question
        if not found:
            yield broken(
                pods.pod["topologySpreadConstraints"],
                f"and affinity.podAntiAffinity do not spread the pods over {key}",
            )


def _terms(pods: Pods, key: str) -> list[Value]:
    anti = pods.pod.at("affinity", "podAntiAffinity")
    terms = anti["requiredDuringSchedulingIgnoredDuringExecution"].items()
    terms += [
        entry["podAffinityTerm"]
        for entry in anti["preferredDuringSchedulingIgnoredDuringExecution"].items()
    ]
    terms += pods.pod["topologySpreadConstraints"].items()
    return [
        term for term in terms if term["topologyKey"].unknown or term["topologyKey"].data == key
    ]


def _own(term: Value, pods: Pods) -> bool:
    if term["topologyKey"].unknown:
        raise Undecided(term.urn, term["topologyKey"].path)
    selector = term["labelSelector"]
    return selector.present and not is_empty(selector) and selectors.selects(selector, pods.labels)


RULES: Final = (
    Rule(
        id="replicas-min",
        title="A workload that serves has more than one replica, KATO at least three",
        pack=Pack.KUBERNETES,
        severity=Severity.HIGH,
        practices=(6,),
        stack=_minimum,
        cure="raise replicas, or the autoscaler's minReplicas",
        why="With one replica every restart is an outage; with two, the failure of one doubles the "
        "other's load.",
        knobs=(
            *_KATO,
            number("n", 2, "Fewest replicas of a Deployment.", minimum=1),
            number("kato", 3, "Fewest replicas of KATO.", minimum=1),
            switch("statefulSets", False, "Other StatefulSets (stores) are counted too."),
        ),
    ),
    Rule(
        id="hpa-target-valid",
        title="An autoscaler has one existing target, owns its count and has room to act",
        pack=Pack.KUBERNETES,
        severity=Severity.HIGH,
        stack=_target,
        cure="name an existing workload of the same namespace, with max above min and min 2 or "
        "more, one autoscaler a workload",
        why="A count beside an autoscaler resets it at every update; a wrong name is accepted "
        "silently and scales nothing.",
    ),
    Rule(
        id="hpa-metrics-have-requests",
        title="What an autoscaler measures as utilisation is requested by every container",
        pack=Pack.KUBERNETES,
        severity=Severity.HIGH,
        stack=_requests,
        cure="set resources.requests for it on every container, or use AverageValue",
        why='Utilisation is usage by request: without one Kubernetes says "will not be defined and '
        'the autoscaler will not take any action".',
    ),
    Rule(
        id="pdb-covers-workload",
        title="Exactly one disruption budget covers a replicated workload and lets one pod go",
        pack=Pack.KUBERNETES,
        severity=Severity.HIGH,
        practices=(6, 8),
        stack=_budget,
        cure="add one PodDisruptionBudget with maxUnavailable: 1 and unhealthyPodEvictionPolicy: "
        "AlwaysAllow that selects the pods",
        why="Without one a node's drain may stop every replica at once; with one that allows "
        "nothing, nodes can't be drained.",
        knobs=(number("maxPercent", 50, "Largest share that may be disrupted, in per cent."),),
        remedy=_always_allow,
    ),
    Rule(
        id="spread-or-antiaffinity",
        title="Replicas are spread over nodes",
        pack=Pack.KUBERNETES,
        severity=Severity.MEDIUM,
        practices=(6,),
        resource=_spread,
        cure="add a topologySpreadConstraint (or podAntiAffinity) on kubernetes.io/hostname whose "
        "labelSelector matches the pod's own labels",
        why="The scheduler may put all replicas on one node, which is then one failure for all.",
        knobs=(switch("requireBoth", False, "Zones are asked for too."),),
    ),
)
