"""What is wrong with an input: the field's path, the rule that it breaks and the cure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError


@dataclass(frozen=True)
class Problem:
    """One broken rule. ``path`` is the field's path, such as ``servers[1].port``."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidInput(ValueError):  # noqa: N818 - named for what it says, like ValueError's siblings
    """An input was refused; nothing was made of it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def from_validation(error: ValidationError) -> list[Problem]:
    """Pydantic's findings in this project's words, in the order of the fields."""
    return [
        Problem(_path(detail["loc"]), _message(detail))
        for detail in error.errors(include_url=False)
    ]


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


_RULES = {
    "missing": "is required",
    "extra_forbidden": "is not a known setting; check its spelling",
    "int_type": "must be a whole number, written without quotes",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number of seconds, written without quotes",
    "bool_type": "must be true or false, written without quotes",
    "string_type": "must be a text",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "enum": "must be one of {expected}",
    "model_type": "must be a group of settings",
    "dict_type": "must be a group of settings",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} item(s)",
    "string_too_long": "must have at most {max_length} characters",
}


def _message(detail: Mapping[str, Any]) -> str:
    rule = _RULES.get(detail["type"])
    if rule is None:
        return str(detail["msg"])
    return (
        f"{rule.format(**detail.get('ctx', {}))} (got {_shown(detail)})"
        if _has_value(detail)
        else rule
    )


def _has_value(detail: Mapping[str, Any]) -> bool:
    return str(detail["type"]) != "missing"


_SECRET = re.compile("password|secret|token|key|url", re.IGNORECASE)


def _shown(detail: Mapping[str, Any]) -> str:
    if any(_SECRET.search(str(part)) for part in detail["loc"]):
        return "a value that is not shown"
    text = repr(detail["input"])
    return text if len(text) <= 60 else text[:57] + "..."
