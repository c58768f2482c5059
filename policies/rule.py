"""A rule: what must hold, why, how to mend it, and what of it can be set."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from .findings import Broken, Hit, Unverified
from .kato_workloads import DEFAULT_SELECTOR, KatoWorkloads
from .relations import Stack
from .resources import Resource
from .values import Undecided


class Pack(StrEnum):
    """The pack that a rule belongs to; also the name of the pack's folder."""

    LOAD_BALANCING = "load_balancing"
    KUBERNETES = "kubernetes"
    SECURITY = "security"


class Level(StrEnum):
    """What a finding does to a preview."""

    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    DISABLED = "disabled"


class Severity(StrEnum):
    """How much is lost."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Knob:
    """A setting of a rule: its default, its JSON schema and what it is for."""

    name: str
    default: Any
    schema: Mapping[str, Any]
    text: str

    def refuses(self, value: Any) -> str:
        """What is wrong with a value, or nothing."""
        wanted = self.schema["type"]
        kinds: Mapping[str, tuple[type, ...]] = {
            "string": (str,), "boolean": (bool,), "number": (int, float), "integer": (int, float),
            "array": (list,), "object": (dict,),
        }  # fmt: skip
        flawed = not isinstance(value, kinds[wanted]) or (
            isinstance(value, bool) and wanted != "boolean"
        )
        if flawed or (wanted == "integer" and float(value) != int(value)):
            return f"must be of type {wanted}"
        if "enum" in self.schema and value not in self.schema["enum"]:
            return f"must be one of {', '.join(map(str, self.schema['enum']))}"
        if "minimum" in self.schema and value < self.schema["minimum"]:
            return f"must be at least {self.schema['minimum']}"
        if wanted == "array" and not all(isinstance(item, str) for item in value):
            return "must be a list of texts"
        if "pattern" in self.schema and not re.search(self.schema["pattern"], value):
            return f"must look like {self.default}"
        return _bad_pattern(value) if self.schema.get("format") == "regex" else ""


def _bad_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        return f"is not a regular expression ({error})"
    return ""


def number(name: str, default: float, text: str, minimum: float = 0) -> Knob:
    """A knob that takes a number."""
    return Knob(name, default, {"type": "number", "minimum": minimum}, text)


def switch(name: str, default: bool, text: str) -> Knob:
    """A knob that is on or off."""
    return Knob(name, default, {"type": "boolean"}, text)


def word(name: str, default: str, text: str, *allowed: str) -> Knob:
    """A knob that takes a text, or one of a few."""
    return Knob(
        name, default, {"type": "string", **({"enum": [*allowed]} if allowed else {})}, text
    )


def shaped(name: str, default: str, form: str, text: str) -> Knob:
    """A knob that takes a text of a form."""
    return Knob(name, default, {"type": "string", "pattern": form}, text)


def pattern(name: str, default: str, text: str) -> Knob:
    """A knob that takes a regular expression."""
    return Knob(name, default, {"type": "string", "format": "regex"}, text)


def words(name: str, default: tuple[str, ...], text: str) -> Knob:
    """A knob that takes a list of texts."""
    return Knob(name, [*default], {"type": "array", "items": {"type": "string"}}, text)


KATO_KNOBS: Final = (
    Knob(
        "workloadSelector",
        dict(DEFAULT_SELECTOR),
        {"type": "object"},
        "A label selector (matchLabels, matchExpressions) for workloads, ConfigMaps and containers "
        "that are KATO's, besides those with KATO's image.",
    ),
    pattern(
        "balancerPattern",
        "kato",
        "A balancer's configuration is judged when a server, upstream or backend in it is named "
        "like this, or its ConfigMap or container is selected by workloadSelector.",
    ),
)
"""Taken by every rule that speaks of KATO."""


class Knobs:
    """The settings of one rule with its defaults. A refused value leaves the default."""

    def __init__(self, rule: "Rule", given: Mapping[str, Any] | None = None) -> None:
        known = {knob.name: knob for knob in rule.knobs}
        self._values: dict[str, Any] = {name: knob.default for name, knob in known.items()}
        self.problems: list[str] = []
        for name, value in (given or {}).items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known)}"
                self.problems.append(f"{rule.id} has no setting {name}{hint if known else ''}")
            elif refusal := known[name].refuses(value):
                self.problems.append(f"{rule.id}.{name} {refusal}")
            else:
                self._values[name] = value

    def number(self, name: str) -> float:
        """A number."""
        return float(self._values[name])

    def flag(self, name: str) -> bool:
        """On or off."""
        return bool(self._values[name])

    def text(self, name: str) -> str:
        """A text."""
        return str(self._values[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self._values[name])

    @property
    def kato(self) -> KatoWorkloads:
        """Which workloads are KATO's."""
        return KatoWorkloads(self._values.get("workloadSelector", DEFAULT_SELECTOR))

    @property
    def balancers(self) -> str:
        """How KATO's servers are named in a balancer's configuration."""
        return str(self._values.get("balancerPattern", "kato"))


ResourceCheck = Callable[[Resource, Knobs], Iterable[Hit]]
StackCheck = Callable[[Stack, Knobs], Iterable[Hit]]
Remedy = Callable[[str, MutableMapping[str, Any], Knobs], bool]
"""Gets the type and the properties, mends the properties in place and says whether it did."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One record. Exactly one of the checks is there; both are pure functions."""

    id: str
    title: str
    """What must hold, in one sentence."""
    pack: Pack
    level: Level = Level.MANDATORY
    severity: Severity
    practices: tuple[int, ...] = ()
    """Best practices of the load balancing guide that the rule stands for, from 1 to 8."""
    resource: ResourceCheck | None = None
    stack: StackCheck | None = None
    cure: str
    why: str
    """The harm, with the figure that was measured where there is one."""
    knobs: tuple[Knob, ...] = ()
    docker: bool = False
    """Judges Docker containers too."""
    remedy: Remedy | None = None
    tags: tuple[str, ...] = field(default=())

    def hits(self, subject: Resource | Stack, knobs: Knobs) -> Iterator[Hit]:
        """What the rule says. Never raises for what a property holds."""
        check: Callable[[Any, Knobs], Iterable[Hit]] | None = self.resource or self.stack
        if check is None:
            return
        try:
            yield from check(subject, knobs)
        except Undecided as undecided:
            yield Unverified(undecided.urn, undecided.path)

    def message(self, name: str, hit: Broken) -> str:
        """A finding in words: resource, path, what was seen, rule, cure."""
        return f"{name}: {hit.path} {hit.seen} [{self.id}]\nCure: {hit.cure or self.cure}"
