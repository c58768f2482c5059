"""What a running Prometheus says."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus at ``url``."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that the expression has now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10)
        assert answer.status_code == 200, f"{expression}\n{answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def value(self, expression: str) -> float:
        """The only number that the expression has now."""
        [series] = self.query(expression)
        return float(series["value"][1])

    def alerts(self) -> dict[str, str]:
        """Alert → pending or firing."""
        answer = httpx.get(f"{self.url}/api/v1/alerts", timeout=10)
        return {a["labels"]["alertname"]: a["state"] for a in answer.json()["data"]["alerts"]}

    def targets(self) -> dict[str, set[str]]:
        """Job → states of its targets."""
        found: dict[str, set[str]] = {}
        for target in httpx.get(f"{self.url}/api/v1/targets", timeout=10).json()["data"][
            "activeTargets"
        ]:
            found.setdefault(target["labels"]["job"], set()).add(target["health"])
        return found


def until(condition: Callable[[], bool], what: str, limit: float) -> None:
    """Return when the condition holds; fails with ``what`` after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit:g} s: {what}"
        time.sleep(1)
