"""Both pools' figures, from the Prometheus that watches the balancers."""

import math
from collections.abc import Mapping
from typing import Any, Final

import httpx

from kato_balancing.operations.rollout import FiguresError, PoolFigures

_LIMIT_SECONDS: Final = 10
_CANARY: Final = 'server=~".+-canary-[0-9]+"'
_STABLE: Final = 'server!~".+-canary-[0-9]+|none"'


class PrometheusFigures:
    """Reads ``kato_lb_requests_total`` and ``kato_lb_request_seconds`` of the exporters."""

    def __init__(self, url: str, client: httpx.Client | None = None) -> None:
        self._client = client or httpx.Client(base_url=url, timeout=_LIMIT_SECONDS)
        self._url = url

    def read(self, seconds: float) -> tuple[PoolFigures, PoolFigures]:
        """Stable and canary, over the last seconds. Raises FiguresError when Prometheus does not
        answer."""
        # Two scrapes are the least that a rate can be made of.
        window = f"{max(15, round(seconds))}s"
        return self._pool(_STABLE, window), self._pool(_CANARY, window)

    def _pool(self, servers: str, window: str) -> PoolFigures:
        requests = self._ask(f"sum(increase(kato_lb_requests_total{{{servers}}}[{window}]))")
        errors = self._ask(
            f'sum(increase(kato_lb_requests_total{{{servers},code=~"5.."}}[{window}]))'
        )
        p50, p95, p99 = (self._quantile(part, servers, window) for part in (0.5, 0.95, 0.99))
        return PoolFigures(requests or 0.0, errors or 0.0, p95, p50, p99)

    def _quantile(self, part: float, servers: str, window: str) -> float | None:
        found = self._ask(
            f"histogram_quantile({part:g}, sum by (le) "
            f"(rate(kato_lb_request_seconds_bucket{{{servers}}}[{window}])))"
        )
        # The quantile of nothing is NaN.
        return None if found is None or math.isnan(found) else found

    def _ask(self, expression: str) -> float | None:
        try:
            answer = self._client.get("/api/v1/query", params={"query": expression})
            answer.raise_for_status()
            found: Mapping[str, Any] = answer.json()
            values = found["data"]["result"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise FiguresError(
                f"Prometheus at {self._url} does not answer ({error}); check its address"
            ) from error
        return float(values[0]["value"][1]) if values else None
