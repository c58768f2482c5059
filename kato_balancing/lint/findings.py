"""What lint finds, and what stops it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad a finding is: an advice, a loss under some condition, a loss for certain."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file; lines count from 1."""

    file: str
    line: int


Hit = tuple[Place, str]
"""What a rule's check yields: where, and what was seen there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a file breaks, at one place."""

    rule: str
    severity: Severity
    place: Place
    message: str
    cure: str

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON types; the order of the keys never changes."""
        return {
            "rule": self.rule,
            "severity": str(self.severity),
            "file": self.place.file,
            "line": self.place.line,
            "message": self.message,
            "cure": self.cure,
        }


class LintError(ValueError):
    """The file can't be judged: unreadable, hostile, or in neither language."""

    def __init__(self, file: str, message: str, line: int | None = None) -> None:
        self.file = file
        self.line = line
        self.message = message
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")
