"""Latency and failures over time as SVG, with the events that happened meanwhile."""

import math
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from kato_balancing.report.markup import Attributes, element
from kato_balancing.report.run_document import Latency, Slice, Traffic

_WIDTH, _LEFT, _RIGHT = 960, 64, 24
_TOP, _CURVES, _BETWEEN, _FAILURES, _BOTTOM = 56, 220, 28, 64, 44
_FLOOR: Final = _TOP + _CURVES
_HEIGHT: Final = _FLOOR + _BETWEEN + _FAILURES + _BOTTOM
_END: Final = _WIDTH - _RIGHT
_SECONDS_ON_AXIS: Final = 10
_TICKS: Final = 4

PERCENTILES: Final = ("p50", "p95", "p99")
"""The curves; each has the class ``curve-`` and its name."""


def timeline(title: str, traffic: Traffic) -> Element:
    """Curves of the percentiles by slice, bars for failed requests, numbered lines for events.

    The numbers are those of ``traffic.marks``, from 1.
    """
    highest = max((s.latency.p99 for s in traffic.series if s.latency is not None), default=0.0)
    most_failed = max((one.failed for one in traffic.series), default=0)
    last = max((one.at for one in traffic.series), default=0.0) + traffic.interval
    end = max(traffic.seconds, last, *(mark.at for mark in traffic.marks))
    across = _Across(end, traffic.interval)
    frame = {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "class": "timeline"}
    return element(
        "svg",
        frame,
        element("title", {}, title),
        element("desc", {}, _described(traffic)),
        *_legend(),
        *_latency_axis(ticks(highest)),
        *_time_axis(across),
        *(_curve(name, traffic.series, across, ticks(highest)[-1]) for name in PERCENTILES),
        *_dots(traffic.series, across, ticks(highest)[-1]),
        *_failures(traffic.series, across, most_failed),
        *_events(traffic, across),
    )


def ticks(highest: float, wanted: int = _TICKS) -> list[float]:
    """Round values from 0 to at least ``highest``, about ``wanted`` steps of 1, 2 or 5.

    0 and 1 when ``highest`` is below a microsecond: nothing that is measured here is.
    """
    if highest < 1e-6:
        return [0.0, 1.0]
    rough = highest / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def milliseconds(seconds: float) -> str:
    """Seconds as a person reads them, such as ``4.2 ms``."""
    amount = seconds * 1000
    return f"{amount:,.0f} ms" if amount >= 100 else f"{amount:.3g} ms"


class _Across:
    """From seconds to places on the axis."""

    def __init__(self, seconds: float, interval: float) -> None:
        self.seconds = seconds
        self.interval = interval
        self.scale = (_END - _LEFT) / seconds

    def __call__(self, at: float) -> float:
        return _LEFT + at * self.scale


def _described(traffic: Traffic) -> str:
    whole = traffic.latency
    latency = (
        "no request went well"
        if whole is None
        else f"p50 {milliseconds(whole.p50)}, p95 {milliseconds(whole.p95)}, "
        f"p99 {milliseconds(whole.p99)}"
    )
    return (
        f"{traffic.requests} requests in {traffic.seconds:.1f} s, {traffic.failed} failed; "
        f"{latency}; {len(traffic.marks)} events"
    )


def _legend() -> Iterator[Element]:
    for index, name in enumerate(PERCENTILES):
        x = _LEFT + 70 * index
        yield _line(x, 14, x + 18, 14, f"curve-{name}")
        yield element("text", {"x": x + 24, "y": 18}, name)
    x = _LEFT + 70 * len(PERCENTILES)
    yield element("rect", {"x": x, "y": 8, "width": 12, "height": 12, "class": "failed"})
    yield element("text", {"x": x + 18, "y": 18}, "failed")
    yield _line(x + 80, 14, x + 98, 14, "event")
    yield element("text", {"x": x + 104, "y": 18}, "event")


def _latency_axis(marks: list[float]) -> Iterator[Element]:
    for value in marks:
        y = _down(value, marks[-1])
        yield _line(_LEFT, y, _END, y, "grid")
        yield _label(_LEFT - 8, y + 4, milliseconds(value) if value else "0", "end")


def _time_axis(across: _Across) -> Iterator[Element]:
    bottom = _FLOOR + _BETWEEN + _FAILURES
    yield _line(_LEFT, bottom, _END, bottom, "axis")
    for at in ticks(across.seconds, _SECONDS_ON_AXIS):
        if at <= across.seconds:
            yield _line(across(at), bottom, across(at), bottom + 4, "axis")
            yield _label(across(at), bottom + 18, f"{at:g}", "middle")
    yield _label((_LEFT + _END) / 2, _HEIGHT - 6, "seconds since the load began", "middle")


def _curve(name: str, series: tuple[Slice, ...], across: _Across, top: float) -> Element:
    """A gap where nothing went well: a line across an outage would be made up."""
    steps: list[str] = []
    drawn = False
    for one in series:
        if one.latency is None:
            drawn = False
            continue
        x, y = across(one.at + across.interval / 2), _down(_of(one.latency, name), top)
        steps.append(f"{'L' if drawn else 'M'}{x:.1f} {y:.1f}")
        drawn = True
    return element("path", {"d": " ".join(steps), "class": f"curve-{name}"})


def _dots(series: tuple[Slice, ...], across: _Across, top: float) -> Iterator[Element]:
    if len(series) > 60:
        return
    for one in series:
        for name in PERCENTILES:
            if one.latency is not None:
                place: Attributes = {
                    "cx": across(one.at + across.interval / 2),
                    "cy": _down(_of(one.latency, name), top),
                    "r": 2.5,
                    "class": f"dot-{name}",
                }
                yield element("circle", place)


def _failures(series: tuple[Slice, ...], across: _Across, most: int) -> Iterator[Element]:
    bottom = _FLOOR + _BETWEEN + _FAILURES
    yield _label(_LEFT - 8, bottom, "0", "end")
    if most:
        yield _label(_LEFT - 8, bottom - _FAILURES + 8, f"{most:,}", "end")
    else:
        yield _label(_LEFT + 8, bottom - 8, "no request failed", "start")
    for one in series:
        if one.failed:
            height = max(2.0, _FAILURES * one.failed / most)
            bar: Attributes = {
                "x": across(one.at),
                "y": bottom - height,
                "width": max(2.0, across.scale * across.interval - 1),
                "height": height,
                "class": "failed",
            }
            noun = "request" if one.failed == 1 else "requests"
            tip = f"from {one.at:g} s: {one.failed} {noun} failed"
            yield element("rect", bar, element("title", {}, tip))


def _events(traffic: Traffic, across: _Across) -> Iterator[Element]:
    bottom = _FLOOR + _BETWEEN + _FAILURES
    for number, mark in enumerate(traffic.marks, 1):
        x = across(mark.at)
        yield element(
            "g",
            {},
            element("title", {}, f"{mark.at:.1f} s: {mark.event}"),
            _line(x, _TOP - 6, x, bottom, "event"),
            element("circle", {"cx": x, "cy": _TOP - 14, "r": 9, "class": "event-dot"}),
            element(
                "text",
                {"x": x, "y": _TOP - 10, "text-anchor": "middle", "class": "event-number"},
                str(number),
            ),
        )


def _of(latency: Latency, name: str) -> float:
    return {"p50": latency.p50, "p95": latency.p95, "p99": latency.p99}[name]


def _down(value: float, top: float) -> float:
    return _FLOOR - _CURVES * value / top


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Element:
    return element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": kind})


def _label(x: float, y: float, text: str, anchor: str) -> Element:
    return element("text", {"x": x, "y": y, "text-anchor": anchor, "class": "small"}, text)
