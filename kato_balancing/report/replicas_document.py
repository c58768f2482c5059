"""What ``kato-lb replace --json`` and ``kato-lb drain --json`` print, as a reader takes it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError

from kato_balancing.operations.report import ReplicaReport
from kato_balancing.problems import InvalidInput, Problem, from_validation
from kato_balancing.report.json_limits import beyond_limits

_CURE: Final = "write it again, with 'kato-lb replace --json' or 'kato-lb drain --json'"


@dataclass(frozen=True, slots=True)
class Replicas:
    """What was done to a stack's replicas, one after another."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False
    )

    replicas: tuple[ReplicaReport, ...]
    problem: str | None = None
    """Why one was not replaced, and the ones after it were not begun; ``None`` without."""

    @classmethod
    def from_dict(cls, document: object) -> Self:
        """The replicas of a document that was read from JSON.

        Raises :class:`~kato_balancing.problems.InvalidInput` with the path of every field that
        is missing, unknown or of the wrong kind, and when nothing was done.
        """
        beyond = list(beyond_limits(document))
        if beyond:
            raise _refused(beyond)
        try:
            found = TypeAdapter(cls).validate_json(json.dumps(document))
        except ValidationError as error:
            raise _refused(from_validation(error)) from None
        if not found.replicas and found.problem is None:
            rule = "must have at least one: nothing was done, so there is nothing to show"
            raise _refused([Problem("replicas", rule)])
        return found


def _refused(problems: Sequence[Problem]) -> InvalidInput:
    last = problems[-1]
    return InvalidInput([*problems[:-1], Problem(last.path, f"{last.message}; {_CURE}")])
