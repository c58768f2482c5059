"""The panels as a Grafana dashboard."""

import json
from itertools import groupby
from typing import Any, Final

from kato_balancing.monitoring.panels import PANELS, Panel

TITLE: Final = "KATO behind its balancer"

_SCHEMA: Final = 39
"""Of Grafana 10.4 and, migrated when it is opened, every later one."""
_WIDTH, _HEIGHT, _IN_A_ROW = 8, 8, 3
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
"""The viewer chooses the data source: no dashboard of ours knows its id."""


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return {
        "title": TITLE,
        "tags": ["kato"],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                }
            ]
        },
        "panels": _panels(),
    }


def document() -> str:
    """The dashboard in JSON."""
    return json.dumps(dashboard(), indent=2) + "\n"


def _panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    top = 0
    for row, members in groupby(PANELS, lambda panel: panel.row):
        found.append({"type": "row", "title": row, "gridPos": _place(0, top, 24, 1)})
        top += 1
        graphs = list(members)
        for number, panel in enumerate(graphs):
            down, across = divmod(number, _IN_A_ROW)
            place = _place(across * _WIDTH, top + down * _HEIGHT, _WIDTH, _HEIGHT)
            found.append({**_graph(panel), "gridPos": place})
        top += -(-len(graphs) // _IN_A_ROW) * _HEIGHT
    return [{"id": number, **panel} for number, panel in enumerate(found, start=1)]


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _graph(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.threshold is not None:
        steps.append({"color": "red", "value": panel.threshold})
    shown = "off" if panel.threshold is None else "line"
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.tells,
        "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit.value,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": {"mode": shown}},
            },
            "overrides": [],
        },
        "targets": [
            {
                "refId": "A",
                "datasource": _SOURCE,
                "expr": panel.expression,
                "legendFormat": panel.legend,
            }
        ],
    }
