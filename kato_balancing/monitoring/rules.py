"""The alerts as a document of Prometheus rules."""

from typing import Any, Final

import yaml

from kato_balancing.monitoring.panels import ALERTS, Alert

GROUP: Final = "kato"


def groups() -> list[dict[str, Any]]:
    """The rule groups, as a rules file or a PrometheusRule object holds them."""
    return [{"name": GROUP, "rules": [_rule(alert) for alert in ALERTS]}]


def document() -> str:
    """A rules file for Prometheus 2.42 or newer, in YAML."""
    return yaml.safe_dump({"groups": groups()}, sort_keys=False, width=100)


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.condition,
        "for": f"{alert.seconds}s",
        "labels": {"severity": alert.severity.value},
        "annotations": {"summary": alert.summary, "description": alert.cure},
    }
