"""Both pools' figures, from the Prometheus that watches the balancers."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from kato_balancing.operations.rollout import PoolFigures, RolloutError

_LIMIT_SECONDS: Final = 10
_CANARY: Final = 'server=~".+-canary-[0-9]+"'
_STABLE: Final = 'server!~".+-canary-[0-9]+|none"'


class PrometheusFigures:
    """Reads ``kato_lb_requests_total`` and ``kato_lb_request_seconds`` of the exporters."""

    def __init__(self, url: str, client: httpx.Client | None = None) -> None:
        self._client = client or httpx.Client(base_url=url, timeout=_LIMIT_SECONDS)
        self._url = url

    def read(self, seconds: float) -> tuple[PoolFigures, PoolFigures]:
        """Stable and canary, over the last seconds. Raises RolloutError when Prometheus does not
        answer."""
        # Two scrapes are the least that a rate can be made of.
        window = f"{max(15, round(seconds))}s"
        return self._pool(_STABLE, window), self._pool(_CANARY, window)

    def _pool(self, servers: str, window: str) -> PoolFigures:
        requests = self._ask(f"sum(increase(kato_lb_requests_total{{{servers}}}[{window}]))")
        errors = self._ask(
            f'sum(increase(kato_lb_requests_total{{{servers},code=~"5.."}}[{window}]))'
        )
        p95 = self._ask(
            "histogram_quantile(0.95, sum by (le) "
            f"(rate(kato_lb_request_seconds_bucket{{{servers}}}[{window}])))"
        )
        # NaN, the quantile of nothing, is unequal to itself.
        return PoolFigures(requests or 0.0, errors or 0.0, p95 if p95 == p95 else None)  # noqa: PLR0124

    def _ask(self, expression: str) -> float | None:
        try:
            answer = self._client.get("/api/v1/query", params={"query": expression})
            answer.raise_for_status()
            found: Mapping[str, Any] = answer.json()
            values = found["data"]["result"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise RolloutError(
                f"Prometheus at {self._url} does not answer ({error}); check its address"
            ) from error
        return float(values[0]["value"][1]) if values else None
