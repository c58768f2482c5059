"""A bar chart as SVG: plain shapes and text, no script.

Every shape carries its colour for a file of its own, and a class by which a page gives it another.
"""

from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element

from kato_balancing.report.markup import Attributes, Node, element

_WIDTH, _MARGIN, _LABELS = 720, 24, 170
_BAR, _GAP, _TOP = 16, 12, 64
_COLOURS: Final = ("#3b6ea8", "#d9822b")
_LONGEST_LABEL: Final = 22


def bar_chart(title: str, series: Mapping[str, Mapping[str, float]]) -> Element:
    """Bars for every name, one of each series, with the series' mean as a dashed line.

    One or two series.
    """
    names = list(dict.fromkeys(name for values in series.values() for name in values))
    longest = max((n for values in series.values() for n in values.values()), default=0) or 1
    row = _BAR * len(series) + _GAP
    height = _TOP + row * len(names) + _MARGIN
    frame = {
        "width": str(_WIDTH),
        "height": str(height),
        "viewBox": f"0 0 {_WIDTH} {height}",
        "role": "img",
        "font-family": "sans-serif",
        "font-size": "12",
        "fill": "#222",
    }
    return element(
        "svg",
        frame,
        element("title", {}, title),
        element("rect", {"width": "100%", "height": "100%", "fill": "#fff", "class": "paper"}),
        element("text", {"x": _MARGIN, "y": _MARGIN, "font-size": "15"}, title),
        *_legend(list(series)),
        *_means(series, longest, height),
        *_bars(names, series, longest, row),
    )


def _length(value: float, longest: float) -> float:
    # Divided first: however small both are, the quotient is a share.
    return value / longest * (_WIDTH - _LABELS - 3 * _MARGIN)


def _legend(names: list[str]) -> Iterator[Element]:
    for index, name in enumerate((*names, "mean, dashed")):
        x = _MARGIN + 130 * index
        if index < len(names):
            yield element("rect", {"x": x, "y": 36, "width": 10, "height": 10, **_fill(index)})
        yield element("text", {"x": x + 16, "y": 45}, name)


def _bars(
    names: list[str], series: Mapping[str, Mapping[str, float]], longest: float, row: int
) -> Iterator[Element]:
    for place, name in enumerate(names):
        top = _TOP + place * row
        middle = top + _BAR * len(series) / 2 + 4
        label: Attributes = {"x": _LABELS - 8, "y": middle, "text-anchor": "end"}
        yield element("text", label, *_label(name))
        for index, values in enumerate(series.values()):
            y = top + index * _BAR
            value = values.get(name, 0)
            length = _length(value, longest)
            shape = {"x": _LABELS, "y": y, "width": length, "height": _BAR - 2}
            yield element("rect", {**shape, **_fill(index)})
            yield element("text", {"x": _LABELS + length + 5, "y": y + 11}, f"{round(value, 1):,}")


def _means(
    series: Mapping[str, Mapping[str, float]], longest: float, height: int
) -> Iterator[Element]:
    for index, values in enumerate(series.values()):
        mean = sum(values.values()) / len(values) if values else 0
        x = _LABELS + _length(mean, longest)
        yield element(
            "line",
            {
                "x1": x,
                "y1": _TOP - 6,
                "x2": x,
                "y2": height - _MARGIN,
                "stroke": _COLOURS[index],
                "stroke-dasharray": "4 3",
                "class": f"line-{index}",
            },
        )


def _fill(index: int) -> dict[str, str]:
    return {"fill": _COLOURS[index], "class": f"fill-{index}"}


def _label(name: str) -> Iterator[Node]:
    """A name that is too long is cut, and shown whole where the pointer rests on it."""
    if len(name) <= _LONGEST_LABEL:
        yield name
    else:
        yield element("title", {}, name)
        yield name[: _LONGEST_LABEL - 1] + "…"
