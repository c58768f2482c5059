"""A bar chart as an SVG file."""

from collections.abc import Mapping

from kato_balancing.report.bars import bar_chart as drawn
from kato_balancing.report.markup import as_svg_file


def bar_chart(title: str, series: Mapping[str, Mapping[str, int]]) -> str:
    """The file's text, as :func:`kato_balancing.report.bars.bar_chart` draws it."""
    return as_svg_file(drawn(title, series))
