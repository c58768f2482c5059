"""What the checks found, as data."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kato_balancing.report.run_document import Check, Kind, Run, Traffic, Verdict
from kato_balancing.verify.disruption.names import DisruptionName
from kato_balancing.verify.options import CheckName

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["CheckResult", "Report", "Verdict"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's verdict, its figures and what they mean in plain words.

    ``figures`` is ``None`` when the check could not begin.
    """

    name: CheckName | DisruptionName
    verdict: Verdict
    figures: "DataclassInstance | None"
    summary: str
    """The figures that matter most, in one line."""
    messages: tuple[str, ...] = ()
    """What was seen, what it means and what to do about it."""
    traffic: Traffic | None = None
    """The requests as its clients saw them; ``None`` where there are too few for a series."""

    def record(self) -> Check:
        """The result as part of a run's document."""
        return Check(
            name=str(self.name),
            verdict=self.verdict,
            summary=self.summary,
            figures={} if self.figures is None else asdict(self.figures),
            messages=self.messages,
            traffic=self.traffic,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """All checks against one balancer."""

    url: str
    began: datetime
    checks: tuple[CheckResult, ...]

    @property
    def holds(self) -> bool | None:
        """False when any check is broken, else ``None`` when any is undecided, else true."""
        return self.record().holds

    def record(self) -> Run:
        """The run's document."""
        checks = tuple(check.record() for check in self.checks)
        return Run(kind=Kind.VERIFY, url=self.url, began=self.began, checks=checks)

    def to_dict(self) -> dict[str, Any]:
        """The run's document as JSON types; the order of the keys never changes."""
        return self.record().to_dict()
