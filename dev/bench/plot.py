"""The throughput bench as a bar chart: an SVG file of plain shapes and text."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from dev.bench.throughput import Throughput
from dev.toolchain import places

PATH = places.STATE / "bench" / "throughput.svg"

_WIDTH, _MARGIN, _LABELS, _VALUES = 900, 24, 300, 190
_BAR, _GAP, _TOP = 14, 14, 64
_COLOURS = {"ours": "#3b6ea8", "the guide's": "#d9822b"}
_TITLE = "Requests per second, ours and the guide's own file"


def write(loads: Sequence[Throughput], path: Path = PATH) -> Path:
    """Write the chart; the path it went to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(chart(loads), encoding="utf-8")
    return path


def chart(loads: Sequence[Throughput]) -> str:
    """Two bars for every case. Each kind of servers has a scale of its own: an application
    server is so much slower than one that only answers that its bars would not be seen."""
    height = _TOP + len(loads) * _row() + _MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'viewBox="0 0 {_WIDTH} {height}" role="img" '
            'font-family="sans-serif" font-size="12" fill="#222">',
            f"<title>{escape(_TITLE)}</title>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<text x="{_MARGIN}" y="{_MARGIN}" font-size="15">{escape(_TITLE)}</text>',
            *_legend(),
            *(shape for place, load in enumerate(loads) for shape in _case(place, load, loads)),
            "</svg>\n",
        ]
    )


def _row() -> int:
    return _BAR * len(_COLOURS) + _GAP


def _legend() -> Iterator[str]:
    for index, (name, colour) in enumerate(_COLOURS.items()):
        x = _MARGIN + 100 * index
        yield f'<rect x="{x}" y="36" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{x + 16}" y="45">{escape(name)}</text>'
    x = _MARGIN + 100 * len(_COLOURS)
    yield f'<text x="{x}" y="45">(a scale for each kind of servers)</text>'


def _case(place: int, load: Throughput, loads: Sequence[Throughput]) -> Iterator[str]:
    top = _TOP + place * _row()
    middle = top + _BAR + 4
    title = escape(load.case.title)
    yield f'<text x="{_LABELS - 8}" y="{middle}" text-anchor="end">{title}</text>'
    scale = (_WIDTH - _LABELS - _VALUES) / _longest(load, loads)
    sides = zip(_COLOURS.values(), (load.ours, load.guide), strict=True)
    for index, (colour, side) in enumerate(sides):
        y = top + index * _BAR
        length = side.requests_per_second * scale
        text = f"{side.requests_per_second:,.0f} (p50 {side.p50:.1f} ms, p99 {side.p99:.1f} ms)"
        yield (
            f'<rect x="{_LABELS}" y="{y}" width="{length:.1f}" height="{_BAR - 2}" '
            f'fill="{colour}"/>'
        )
        yield f'<text x="{_LABELS + length + 5:.1f}" y="{y + 10}" font-size="10">{text}</text>'


def _longest(load: Throughput, loads: Sequence[Throughput]) -> float:
    alike = (other for other in loads if other.case.backend == load.case.backend)
    return max(max(o.ours.requests_per_second, o.guide.requests_per_second) for o in alike) or 1
