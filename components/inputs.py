"""Component inputs on their way into the pure model: plain values, whole numbers, errors.

Each component states its inputs twice: as a TypedDict, which other languages see, and as a strict
model, which checks what is known before anything is created.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar

import pulumi
from pydantic import BaseModel, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from kato_balancing.problems import Problem, from_validation

_Model = TypeVar("_Model", bound=BaseModel)
_Result = TypeVar("_Result")


def _unless_later(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, pulumi.Output) else check(value)


Later = WrapValidator(_unless_later)
"""Lets an Output pass: its value is checked by whoever uses it, when it is known."""

Text = Annotated[str, Later]
"""A text, or an Output of one."""


def is_plain(value: Any) -> bool:
    """True when nothing in the value is an Output: it can be checked before anything is made."""
    if isinstance(value, pulumi.Output):
        return False
    if isinstance(value, Mapping):
        return all(is_plain(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(is_plain(item) for item in value)
    return True


def whole_numbers(value: Any) -> Any:
    """The value with 3.0 turned into 3: the engine passes every number as a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [whole_numbers(item) for item in value]
    return value


def checked(
    model: type[_Model], data: Mapping[str, Any], rename: Callable[[str], str] = str
) -> _Model:
    """The data as a model instance; raises ``pulumi.InputPropertiesError`` that names each
    property, the rule and the cure. ``rename`` turns a field's path into the property's."""
    try:
        return model.model_validate(whole_numbers(data))
    except ValidationError as error:
        found = from_validation(error)
        raise refuse(Problem(rename(p.path), p.message) for p in found) from None


def refuse(problems: Iterable[Problem]) -> pulumi.InputPropertiesError:
    """The problems as the error that Pulumi shows per property."""
    listed = list(problems)
    details: list[pulumi.InputPropertyErrorDetails] = [
        {"property_path": problem.path, "reason": problem.message} for problem in listed
    ]
    lines = "\n".join(f"  {problem}" for problem in listed)
    return pulumi.InputPropertiesError(f"invalid input, nothing was created:\n{lines}", details)


def attributed(path: str, check: Callable[[], _Result]) -> _Result:
    """The check's result, with its ValueError turned into a property's error."""
    try:
        return check()
    except ValueError as error:
        raise refuse([Problem(path, str(error))]) from None
