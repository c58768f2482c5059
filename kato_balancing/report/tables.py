"""Tables of a page: a caption, headings, and cells whose numbers stand to the right."""

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from pydantic import JsonValue

from kato_balancing.report.markup import Node, element

_NOTHING: Final = "-"

Cell = str | int | float | None | Element


def table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Element:
    """A table; a column is numeric when its first value is."""
    numeric = [_numeric(values) for values in zip(*rows, strict=True)] or [False] * len(headings)
    head = [
        element("th", {"scope": "col", **_side(number)}, heading)
        for heading, number in zip(headings, numeric, strict=True)
    ]
    body = [
        element(
            "tr",
            {},
            *(
                element("td", _side(number), _shown(cell))
                for cell, number in zip(row, numeric, strict=True)
            ),
        )
        for row in rows
    ]
    return element(
        "div",
        {"class": "wide"},
        element(
            "table",
            {},
            element("caption", {}, caption),
            element("thead", {}, element("tr", {}, *head)),
            element("tbody", {}, *body),
        ),
    )


def figures(values: Mapping[str, JsonValue]) -> list[Element]:
    """Figures of any shape: one table for the plain ones, one for each list of records."""
    plain: list[Sequence[Cell]] = []
    records: list[Element] = []
    for name, value in values.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            rows = [one for one in value if isinstance(one, dict)]
            keys = list(dict.fromkeys(key for row in rows for key in row))
            cells = [[_flat(key, row.get(key)) for key in keys] for row in rows]
            records.append(table(in_words(name), [in_words(key) for key in keys], cells))
        else:
            plain.append((in_words(name), element("span", {}, str(_shown(_flat(name, value))))))
    return [*([table("Figures", ("figure", "value"), plain)] if plain else []), *records]


def in_words(name: str) -> str:
    """A field's name as words, such as ``failure kinds``."""
    return name.replace("_", " ")


def _flat(name: str, value: JsonValue) -> str | int | float | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and (name.endswith("_share") or name.startswith("share_")):
        return f"{value:.1%}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(_flat(key, one))}" for key, one in value.items()) or None
    if isinstance(value, list):
        return ", ".join(str(_shown(_flat(name, one))) for one in value) or None
    return value


def _numeric(values: Sequence[Cell]) -> bool:
    first = next((value for value in values if value is not None), None)
    return isinstance(first, int | float)


def _side(number: bool) -> dict[str, str]:
    return {"class": "number"} if number else {}


def _shown(cell: Cell) -> Node:
    if cell is None:
        return _NOTHING
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:,.3f}".rstrip("0").rstrip(".") if isinstance(cell, float) else cell
