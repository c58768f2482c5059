"""The bridge to Pulumi's policy SDK: records become policies, hits become reports.

The engine's calls come on several threads. What a call is about is read when it begins, and kept
for its thread: the policies run one after another within the call.
"""

import gc
import importlib
import threading
from collections.abc import Callable, Mapping, MutableMapping, Set
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi.runtime.proto.analyzer_pb2 import (
    AnalyzeRequest,
    AnalyzerResource,
    AnalyzeStackRequest,
)
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    PolicyPack,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import Severity as PulumiSeverity

from .catalogue import COVERAGE, DOCS, LATE, PACKS, rules_of
from .findings import Broken, Unverified
from .relations import Stack
from .resources import Resource
from .rule import Knobs, Pack, Rule
from .shared_reading import install, properties
from .values import settled

_LOADING_AFTER: Final = 0.05
"""Seconds; by then the pack has told the engine its port."""

_GARBAGE_AFTER: Final = 200_000
"""Objects. What a pack reads lives until the stack is judged: looking through all of it for garbage
every 700 objects, as Python does, takes a tenth of the time of the rules."""

Report = Callable[..., None]
_TYPES: Final = ("kubernetes:", "docker:")


@dataclass
class _Call(threading.local):
    """What one thread's current call of the engine has read."""

    resource: Resource = field(default_factory=lambda: Resource("", "", "", {}))
    stack: Stack = field(default_factory=lambda: Stack([]))
    open_questions: dict[tuple[str, str, str], None] = field(default_factory=dict)
    late: list[tuple[Rule, Broken]] | None = None


@dataclass
class Run:
    """What a pack remembers between the calls of the engine."""

    call: _Call = field(default_factory=_Call)
    stated: dict[str, Any] = field(default_factory=dict)
    """Inputs by URN."""
    undecided: dict[tuple[str, str], Knobs] = field(default_factory=dict)
    """Resource rules that could not be decided, by rule and URN."""
    knobs: dict[str, tuple[Any, Knobs]] = field(default_factory=dict)
    """What a rule was given, and its settings by that."""

    def begin_resource(self, request: AnalyzeRequest) -> bool:
        """Read the resource of a call; False when no rule speaks of its type."""
        if not request.type.startswith(_TYPES):
            return False
        data = self.stated[request.urn] = properties(request)
        self.call.resource = Resource(
            request.urn, request.type, request.name, data, provider=request.provider.urn
        )
        return True

    def begin_stack(self, request: AnalyzeStackRequest) -> None:
        """Read the stack of a call."""
        known = {resource.urn for resource in request.resources}
        self.call.stack = Stack([self._of_stack(one, known) for one in request.resources])
        self.call.open_questions = {}
        self.call.late = None

    def _of_stack(self, resource: AnalyzerResource, known: Set[str]) -> Resource:
        seen = resource.type.startswith(_TYPES)
        edges = {
            name: tuple(urn for urn in others.urns if urn in known)
            for name, others in resource.propertyDependencies.items()
        }
        stated = self.stated.get(resource.urn)
        data = properties(resource) if seen else {}
        return Resource(
            resource.urn,
            resource.type,
            resource.name,
            data if stated is None else settled(data, stated),
            stated,
            tuple(urn for urn in resource.dependencies if urn in known),
            edges,
            resource.provider.urn,
        )

    def settings(self, rule: Rule, given: Any, report: Report) -> Knobs:
        """The rule's settings; the engine gives the same ones with every call."""
        known = self.knobs.get(rule.id)
        if known is None or known[0] != given:
            known = self.knobs[rule.id] = given, Knobs(rule, given)
        for problem in known[1].problems:
            report(f"settings: {problem}", None)
        return known[1]

    def note(self, rule: str, open_question: Unverified) -> None:
        """Keep what a stack rule could not decide for the coverage report."""
        self.call.open_questions[(open_question.urn, open_question.path, rule)] = None

    def decide_late(self, stack: Stack, rules: Mapping[str, Rule]) -> list[tuple[Rule, Broken]]:
        """What resource rules say now of the values that they could not know before."""
        if self.call.late is None:
            self.call.late = []
            for (name, urn), knobs in list(self.undecided.items()):
                resource = stack.by_urn.get(urn)
                if resource is None:
                    continue
                for hit in rules[name].hits(resource, knobs):
                    if isinstance(hit, Broken):
                        self.call.late.append((rules[name], hit))
                    else:
                        self.note(name, hit)
        return self.call.late


def serve(*names: str) -> None:
    """Be the pack of this name, or of several in one process; returns only when the engine stops
    it. Raises ValueError for an unknown name and for none."""
    packs = tuple(Pack(name) for name in names)
    if not packs:
        raise ValueError(f"name a pack: {', '.join(Pack)}")
    run = Run()
    rules = policies(run, *packs)
    install(rules, run)
    gc.set_threshold(_GARBAGE_AFTER)
    if packs != (Pack.KUBERNETES,):
        # Loads while the engine goes on; a rule that comes first waits for it.
        text = f"{__package__}.configuration_text"
        threading.Timer(_LOADING_AFTER, importlib.import_module, (text,)).start()
    subject = f" {names[0].replace('_', ' ')}" if len(packs) == 1 else ""
    PolicyPack(
        f"kato{subject.replace(' ', '-')}",
        rules,
        enforcement_level=EnforcementLevel.ADVISORY,
        description=". ".join(PACKS[pack] for pack in packs),
        display_name=f"KATO{subject}",
        tags=["kato", *(pack.replace("_", "-") for pack in packs)],
    )


def policies(run: Run, *packs: Pack) -> list[Policy]:
    """The packs' rules as the SDK's policies, in the order in which they run."""
    rules = rules_of(*packs)
    by_id = {rule.id: rule for rule in rules}
    found: list[Policy] = []
    for rule in rules:
        if rule.resource is not None:
            found.append(_resource_policy(rule, run))
        elif rule.stack is not None:
            found.append(_stack_policy(rule, run))
            if rule.remedy is not None:
                found.append(_remedy_policy(rule))
        elif rule is COVERAGE:
            found.append(_coverage_policy(rule, run, by_id))
        elif rule is LATE:
            found.append(_late_policy(rule, run, by_id))
    return found


def _facts(rule: Rule) -> dict[str, Any]:
    schema = {
        knob.name: {**knob.schema, "default": knob.default, "description": knob.text}
        for knob in rule.knobs
    }
    practice = ", ".join(f"BP-{number}" for number in rule.practices)
    return {
        "name": rule.id,
        "description": rule.title,
        "enforcement_level": EnforcementLevel(rule.level),
        "severity": PulumiSeverity(rule.severity),
        "config_schema": PolicyConfigSchema(schema) if schema else None,
        "framework": PolicyComplianceFramework(
            "KATO load balancing guide", "3.0", practice or "reliability", rule.title
        ),
        "tags": ["kato", *(f"best-practice-{number}" for number in rule.practices), *rule.tags],
        "remediation_steps": rule.cure,
        "url": f"{DOCS}/{rule.id}.md",
    }


def _resource_policy(rule: Rule, run: Run) -> Policy:
    def validate(args: ResourceValidationArgs, report: Report) -> None:
        resource = run.call.resource
        knobs = run.settings(rule, args.get_config(), report)
        run.undecided.pop((rule.id, args.urn), None)
        for hit in rule.hits(resource, knobs):
            if isinstance(hit, Broken):
                report(rule.message(resource.name, hit), None)
            else:
                run.undecided[(rule.id, args.urn)] = knobs

    return ResourceValidationPolicy(validate=validate, remediate=_remediation(rule), **_facts(rule))


def _remediation(rule: Rule) -> Callable[[ResourceValidationArgs], Any] | None:
    remedy = rule.remedy
    if remedy is None:
        return None

    async def remediate(args: ResourceValidationArgs) -> Any:
        props = args.props
        if isinstance(props, MutableMapping) or hasattr(props, "__setitem__"):
            changed = remedy(args.resource_type, props, Knobs(rule, args.get_config()))  # type: ignore[arg-type]
            # Unchanged properties would count as a remediation too.
            return props if changed else None
        return None

    return remediate


def _remedy_policy(rule: Rule) -> Policy:
    facts = {
        **_facts(rule),
        "name": f"{rule.id}-remedy",
        "description": f"Mends what {rule.id} finds; off unless it is set to remediate",
        "enforcement_level": EnforcementLevel.DISABLED,
    }
    return ResourceValidationPolicy(remediate=_remediation(rule), **facts)


def _stack_policy(rule: Rule, run: Run) -> Policy:
    def validate(args: StackValidationArgs, report: Report) -> None:
        stack = run.call.stack
        for hit in rule.hits(stack, run.settings(rule, args.get_config(), report)):
            if isinstance(hit, Broken):
                report(rule.message(_name(stack, hit.urn), hit), hit.urn or None)
            else:
                run.note(rule.id, hit)

    return StackValidationPolicy(validate=validate, **_facts(rule))


def _coverage_policy(rule: Rule, run: Run, rules: Mapping[str, Rule]) -> Policy:
    def validate(_: StackValidationArgs, report: Report) -> None:
        stack = run.call.stack
        run.decide_late(stack, rules)
        by_place: dict[tuple[str, str], list[str]] = {}
        for urn, path, name in run.call.open_questions:
            by_place.setdefault((urn, path), []).append(name)
        for (urn, path), names in by_place.items():
            told = ", ".join(sorted(set(names)))
            hit = Broken(urn, path or "(properties)", f"is not known yet, so undecided: {told}")
            report(rule.message(_name(stack, urn), hit), urn if urn in stack.by_urn else None)

    return StackValidationPolicy(validate=validate, **_facts(rule))


def _late_policy(rule: Rule, run: Run, rules: Mapping[str, Rule]) -> Policy:
    def validate(_: StackValidationArgs, report: Report) -> None:
        stack = run.call.stack
        for broken_rule, hit in run.decide_late(stack, rules):
            report(broken_rule.message(_name(stack, hit.urn), hit), hit.urn)

    return StackValidationPolicy(validate=validate, **_facts(rule))


def _name(stack: Stack, urn: str) -> str:
    resource = stack.by_urn.get(urn)
    return resource.name if resource is not None else "stack"
