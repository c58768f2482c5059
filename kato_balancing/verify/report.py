"""What the checks found, as data."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kato_balancing.verify.disruption.names import DisruptionName
from kato_balancing.verify.options import CheckName

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Verdict(StrEnum):
    """Whether what a check is about holds."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNDECIDED = "undecided"


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

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON types; the order of the keys never changes."""
        return {
            "name": str(self.name),
            "verdict": str(self.verdict),
            "figures": {} if self.figures is None else asdict(self.figures),
            "messages": list(self.messages),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All checks against one balancer."""

    url: str
    checks: tuple[CheckResult, ...]

    @property
    def holds(self) -> bool | None:
        """False when any check is broken, else ``None`` when any is undecided, else true."""
        verdicts = {check.verdict for check in self.checks}
        if Verdict.BROKEN in verdicts:
            return False
        return None if Verdict.UNDECIDED in verdicts else True

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON types; the order of the keys never changes."""
        return {
            "url": self.url,
            "holds": self.holds,
            "checks": [check.to_dict() for check in self.checks],
        }
