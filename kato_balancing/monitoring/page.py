"""The generated part of docs/monitoring.md: every panel and every alert."""

import re
from collections.abc import Iterator
from typing import Final

from kato_balancing.monitoring.panels import ALERTS, PANELS, Panel, Unit

_PART: Final = re.compile(r"(<!-- panels: .*? -->\n).*?(<!-- end of panels -->)", re.DOTALL)

_UNITS: Final = {
    Unit.COUNT: "count",
    Unit.PER_SECOND: "1/s",
    Unit.SECONDS: "s",
    Unit.SHARE: "share",
    Unit.BYTES: "bytes",
}


def updated(text: str) -> str:
    """The page's text with fresh tables; raises ValueError when their marks are gone."""
    if not _PART.search(text):
        raise ValueError("docs/monitoring.md has lost the marks around its tables")
    tables = "\n".join(_lines())
    return _PART.sub(lambda part: part[1] + tables + "\n" + part[2], text)


def _lines() -> Iterator[str]:
    yield from ("| Panel | Unit | What it tells |", "|---|---|---|")
    for panel in PANELS:
        yield f"| {_cell(panel.title)} | {_UNITS[panel.unit]} | {_cell(_told(panel))} |"
    yield from ("", "| Alert | Severity | Fires when | What to do |", "|---|---|---|---|")
    for alert in ALERTS:
        yield (
            f"| `{alert.name}` | {alert.severity.value} | {_cell(alert.summary)} "
            f"Above {alert.above:g} for {alert.seconds} s. | {_cell(alert.cure)} |"
        )


def _told(panel: Panel) -> str:
    if panel.threshold is None:
        return panel.tells
    return f"{panel.tells} Red from {panel.threshold:g} on."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
