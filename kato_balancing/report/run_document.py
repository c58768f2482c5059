"""The document of a run: what ``kato-lb verify --json`` and ``kato-lb rollout --json`` print.

Times are seconds. Those called ``at``, ``first`` and ``last`` count from the start of the check's
load. Everything is bounded by the length of the run, not by its number of requests.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from kato_balancing.problems import InvalidInput, Problem, from_validation
from kato_balancing.report.json_limits import beyond_limits

FORMAT: Final = "kato-lb-run/1"
"""The number changes when a reader of the old documents would misread a new one."""

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Interval = Annotated[float, Field(ge=0.001)]
Percent = Annotated[float, Field(ge=0, le=100)]


class Kind(StrEnum):
    """The command that ran."""

    VERIFY = "verify"
    ROLLOUT = "rollout"


class Verdict(StrEnum):
    """Whether what a check is about holds."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from asking to the whole answer, over the requests that went well."""

    p50: Seconds
    p95: Seconds
    p99: Seconds
    max: Seconds | None
    """``None`` where the figures come from a histogram, which forgets the longest."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened while requests were sent."""

    at: Seconds
    event: str


@dataclass(frozen=True, slots=True)
class Slice:
    """The requests that ended within one slice of the load's time."""

    at: Seconds
    """When the slice begins."""
    requests: Count
    failed: Count
    latency: Latency | None
    """``None`` when nothing went well in it."""


@dataclass(frozen=True, slots=True)
class Failures:
    """The failed requests of one kind and one method."""

    kind: str
    """The status code or the name of what went wrong."""
    method: str
    count: Count
    first: Seconds
    """When the first of them was known."""
    last: Seconds
    cause: str
    """What the kind means, in plain words."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The requests of one check, as its clients saw them."""

    seconds: Seconds
    requests: Count
    failed: Count
    latency: Latency | None
    """``None`` when nothing went well."""
    servers: dict[str, Count]
    """Good answers by the server that made them, as far as the balancer names it."""
    interval: Interval
    """How long each slice of the series is."""
    series: tuple[Slice, ...]
    """In the order of time; slices in which nothing ended are left out."""
    marks: tuple[Mark, ...]
    failures: tuple[Failures, ...]
    """The most frequent first."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check's verdict, its figures and what they mean in plain words."""

    name: str
    verdict: Verdict
    summary: str
    """The figures that matter most, in one line."""
    figures: dict[str, JsonValue]
    """By name; empty when the check could not begin."""
    messages: tuple[str, ...]
    """What was seen, what it means and what to do about it."""
    traffic: Traffic | None
    """``None`` when the check sent nothing that a series would show."""


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """The requests of one pool during a step."""

    requests: Count
    failed: Count
    latency: Latency | None
    """``None`` when nothing went well."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rollout: a share of the sessions on the canary pool, for a while."""

    share: Percent
    """Percent of the sessions that the canary pool gets."""
    at: Seconds
    """When the share applied."""
    seconds: Seconds
    """How long it was watched."""
    primary: PoolFigures
    canary: PoolFigures
    verdict: Verdict
    """``broken`` stops the rollout."""
    why: str
    """The figures that decided, and the limits they were held against."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one run found. The overall verdict follows from the checks'."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False
    )

    kind: Kind
    url: str
    """The balancer's address."""
    began: AwareDatetime
    checks: tuple[Check, ...]
    """At least one. A rollout has one for the rollout as a whole."""
    steps: tuple[Step, ...] = ()
    """Empty unless ``kind`` is ``rollout``."""

    @property
    def holds(self) -> bool | None:
        """False when any check is broken, else ``None`` when any is undecided, else true."""
        verdicts = {check.verdict for check in self.checks}
        if Verdict.BROKEN in verdicts:
            return False
        return None if Verdict.UNDECIDED in verdicts else True

    def to_dict(self) -> dict[str, Any]:
        """The document as JSON types; the order of the keys never changes."""
        fields = {**asdict(self), "began": self.began.isoformat()}
        checks, steps = fields.pop("checks"), fields.pop("steps")
        return {"format": FORMAT, **fields, "holds": self.holds, "checks": checks, "steps": steps}

    @classmethod
    def from_dict(cls, document: object) -> Self:
        """The run that :meth:`to_dict` made ``document`` of.

        Raises :class:`~kato_balancing.problems.InvalidInput` with the path of every field that
        is missing, unknown or of the wrong kind.
        """
        if not isinstance(document, dict) or "format" not in document:
            raise _refused("format", "is missing: this is not the document of a run")
        fields = dict(document)
        if fields.pop("format") != FORMAT:
            raise _refused("format", f"must be {FORMAT}, not {_brief(document['format'])}")
        for name in ("holds", "steps"):
            if name not in fields:
                raise _refused(name, "is required")
        holds = fields.pop("holds")
        beyond = list(beyond_limits(fields))
        if beyond:
            raise InvalidInput([*beyond[:-1], _with_cure(beyond[-1])])
        try:
            # As JSON text: strict about numbers and texts, but a list may become a tuple.
            run = TypeAdapter(cls).validate_json(json.dumps(fields))
        except ValidationError as error:
            problems = from_validation(error)
            raise InvalidInput([*problems[:-1], _with_cure(problems[-1])]) from None
        except (TypeError, ValueError) as error:
            raise _refused("", f"has values that JSON does not know ({error})") from None
        if not run.checks:
            raise _refused("checks", "must have at least one check")
        if holds is not run.holds:
            raise _refused(
                "holds", f"is {_brief(holds)}, but the checks' verdicts say {run.holds!r}"
            )
        if run.steps and run.kind is not Kind.ROLLOUT:
            raise _refused("steps", f"only a rollout has steps, and this is a {run.kind} run")
        return run


_CURE: Final = "write it again, with --json of this kato-lb"


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _refused(path: str, rule: str) -> InvalidInput:
    return InvalidInput([_with_cure(Problem(path, rule))])


def _with_cure(problem: Problem) -> Problem:
    return Problem(problem.path, f"{problem.message}; {_CURE}")
