"""Light and dark: every colour of text and curves can be told from what is behind it."""

import re
from itertools import product

import pytest
from run_samples import traffic

from kato_balancing.report.bars import bar_chart
from kato_balancing.report.style import STYLE
from kato_balancing.report.timeline import timeline

TEXTS = ("ink", "faint", "good", "bad", "open")
PAPERS = ("paper", "soft")
SHAPES = ("first", "second", "third", "event", "bad")


def _colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+):\s*(#[0-9a-f]{6})", css))


_light, _rest = STYLE.split("@media (prefers-color-scheme: dark)")
_dark = _rest.split("* { box-sizing")[0]
SCHEMES = {"light": _colours(_light), "dark": {**_colours(_light), **_colours(_dark)}}


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it, from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_itself() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_texts_are_readable(scheme: str) -> None:
    colours = SCHEMES[scheme]
    for text, paper in product(TEXTS, PAPERS):
        assert contrast(colours[text], colours[paper]) >= 4.5, f"{text} on {paper}, {scheme}"
    assert contrast(colours["paper"], colours["event"]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_curves_and_bars_are_seen(scheme: str) -> None:
    colours = SCHEMES[scheme]
    for shape in SHAPES:
        assert contrast(colours[shape], colours["paper"]) >= 3, f"{shape}, {scheme}"


def test_dark_gives_every_colour_anew() -> None:
    assert set(_colours(_dark)) == set(_colours(_light))
    assert _luminance(SCHEMES["dark"]["paper"]) < 0.05 < _luminance(SCHEMES["light"]["paper"])


def test_every_colour_that_is_used_is_defined() -> None:
    assert set(re.findall(r"var\(--(\w+)\)", STYLE)) <= set(SCHEMES["light"])
    assert "color-scheme: light dark" in _light


def test_nothing_comes_from_elsewhere() -> None:
    assert not re.search(r"url\(|@import|@font-face|https?:", STYLE)


def test_every_shape_of_a_plot_follows_the_scheme() -> None:
    two = bar_chart("two series", {"before": {"kato-0": 1}, "after": {"kato-0": 2}})
    plots = [two, timeline("load", traffic())]

    used = {name for plot in plots for shape in plot.iter() if (name := shape.get("class"))}

    assert {name for name in used if f".{name} " not in STYLE and f".{name}," not in STYLE} == {
        "timeline"
    }
