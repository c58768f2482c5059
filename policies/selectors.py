"""Label selectors, with values that may be unknown."""

from typing import Final

from .values import Undecided, Value, every

_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")


def selects(selector: Value, labels: Value) -> bool:
    """A LabelSelector (matchLabels and matchExpressions) on labels; an empty one takes all.

    Raises Undecided when it depends on an unknown value.
    """
    questions = [
        *(("=", label, value) for label, value in selector["matchLabels"].entries().items()),
        *(("", "", expression) for expression in selector["matchExpressions"].items()),
    ]

    def holds(question: tuple[str, str, Value]) -> bool:
        operator, label, value = question
        return equal(value, labels[label]) if operator else _expression(value, labels)

    return every(questions, holds)


def selects_plain(selector: Value, labels: Value) -> bool:
    """A Service's selector, a plain map; an empty one takes nothing."""
    wanted = selector.entries()
    if not wanted:
        return False
    return every(wanted.items(), lambda entry: equal(entry[1], labels[entry[0]]))


def is_empty(selector: Value) -> bool:
    """True when it takes everything."""
    return not selector["matchLabels"].entries() and not selector["matchExpressions"].items()


def equal(one: Value, other: Value) -> bool:
    """The same text on both sides."""
    if other.data is None:
        return False
    return bool(one.get() == other.get())


def _expression(expression: Value, labels: Value) -> bool:
    operator = expression["operator"].text()
    label = expression["key"].text()
    if operator not in _OPERATORS or label is None:
        return False
    value = labels[label]
    if operator == "Exists":
        return value.unknown or value.present
    if operator == "DoesNotExist":
        return not (value.unknown or value.present)
    if operator == "NotIn" and not value.unknown and not value.present:
        return True
    found = value.text()
    values = expression["values"]
    known = [item.data for item in values.items()]
    if found in known:
        return operator == "In"
    for item in values.items():
        if item.unknown:
            raise Undecided(item.urn, item.path)
    return operator == "NotIn"
