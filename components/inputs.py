"""Component inputs on their way into the pure model: plain values, whole numbers, errors."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pulumi
from pydantic import BaseModel, ValidationError

from kato_balancing.problems import InvalidInput, Problem, from_validation

_Model = TypeVar("_Model", bound=BaseModel)
_Result = TypeVar("_Result")


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


def checked(model: type[_Model], data: Mapping[str, Any], at: str = "") -> _Model:
    """The data as a model instance; raises ``pulumi.InputPropertiesError`` that names each
    property, the rule and the cure. ``at`` is the property that holds the data."""
    try:
        return model.model_validate(whole_numbers(data))
    except ValidationError as error:
        raise property_error(from_validation(error), at) from None


def refuse(path: str, message: str) -> pulumi.InputPropertiesError:
    """The error for one property."""
    return property_error([Problem(path, message)])


def property_error(problems: list[Problem], at: str = "") -> pulumi.InputPropertiesError:
    """The problems as the error that Pulumi shows per property."""
    details: list[pulumi.InputPropertyErrorDetails] = [
        {"property_path": _join(at, problem.path), "reason": problem.message}
        for problem in problems
    ]
    lines = "\n".join(f"  {d['property_path']}: {d['reason']}" for d in details)
    return pulumi.InputPropertiesError(f"invalid input, nothing was created:\n{lines}", details)


def attributed(path: str, check: Callable[[], _Result]) -> _Result:
    """The check's result, with its ValueError or InvalidInput turned into a property's error."""
    try:
        return check()
    except InvalidInput as error:
        raise property_error(list(error.problems), path) from None
    except ValueError as error:
        raise refuse(path, str(error)) from None


def _join(at: str, path: str) -> str:
    return ".".join(part for part in (at, path) if part)
