"""A bar chart as an SVG file: plain shapes and text, no script."""

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

_WIDTH, _MARGIN, _LABELS = 720, 24, 170
_BAR, _GAP, _TOP = 16, 12, 64
_COLOURS = ("#3b6ea8", "#d9822b")


def bar_chart(title: str, series: Mapping[str, Mapping[str, int]]) -> str:
    """Bars for every name, one of each series, with the series' mean as a dashed line."""
    names = list(dict.fromkeys(name for values in series.values() for name in values))
    longest = max((n for values in series.values() for n in values.values()), default=0) or 1
    row = _BAR * len(series) + _GAP
    height = _TOP + row * len(names) + _MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'viewBox="0 0 {_WIDTH} {height}" role="img" '
            'font-family="sans-serif" font-size="12" fill="#222">',
            f"<title>{escape(title)}</title>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<text x="{_MARGIN}" y="{_MARGIN}" font-size="15">{escape(title)}</text>',
            *_legend(list(series)),
            *_bars(names, series, longest, row),
            *_means(series, longest, height),
            "</svg>\n",
        ]
    )


def _scale(longest: int) -> float:
    return (_WIDTH - _LABELS - 3 * _MARGIN) / longest


def _legend(names: list[str]) -> Iterator[str]:
    for index, name in enumerate((*names, "mean, dashed")):
        x = _MARGIN + 130 * index
        if index < len(names):
            yield f'<rect x="{x}" y="36" width="10" height="10" fill="{_COLOURS[index]}"/>'
        yield f'<text x="{x + 16}" y="45">{escape(name)}</text>'


def _bars(
    names: list[str], series: Mapping[str, Mapping[str, int]], longest: int, row: int
) -> Iterator[str]:
    scale = _scale(longest)
    for place, name in enumerate(names):
        top = _TOP + place * row
        middle = top + _BAR * len(series) / 2 + 4
        label = escape(_short(name))
        yield f'<text x="{_LABELS - 8}" y="{middle:g}" text-anchor="end">{label}</text>'
        for index, values in enumerate(series.values()):
            y = top + index * _BAR
            length = values.get(name, 0) * scale
            yield (
                f'<rect x="{_LABELS}" y="{y}" width="{length:.1f}" height="{_BAR - 2}" '
                f'fill="{_COLOURS[index]}"/>'
            )
            yield (
                f'<text x="{_LABELS + length + 5:.1f}" y="{y + 11}">{values.get(name, 0):,}</text>'
            )


def _means(series: Mapping[str, Mapping[str, int]], longest: int, height: int) -> Iterator[str]:
    for index, values in enumerate(series.values()):
        mean = sum(values.values()) / len(values) if values else 0
        x = _LABELS + mean * _scale(longest)
        yield (
            f'<line x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{height - _MARGIN}" '
            f'stroke="{_COLOURS[index]}" stroke-dasharray="4 3"/>'
        )


def _short(name: str) -> str:
    return name if len(name) <= 22 else name[:21] + "…"
