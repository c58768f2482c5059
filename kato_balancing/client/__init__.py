"""A client for KATO that neither loses nor doubles an observation.

>>> from kato_balancing.client import FailoverClient
>>> with FailoverClient(["http://kato-1:8000", "http://kato-2:8000"]) as client:
...     with client.session("user-123") as session:  # doctest: +SKIP
...         session.observe(["hello"])

Names are imported on first use: importing httpx alone takes longer than all the rest.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kato_balancing.client._health_state import HealthSettings as HealthSettings
    from kato_balancing.client._pool import InstanceState as InstanceState
    from kato_balancing.client.breaker import BreakerSettings as BreakerSettings
    from kato_balancing.client.breaker import BreakerState as BreakerState
    from kato_balancing.client.breaker import CircuitBreaker as CircuitBreaker
    from kato_balancing.client.errors import KatoError as KatoError
    from kato_balancing.client.errors import NoInstance as NoInstance
    from kato_balancing.client.errors import OutOfTime as OutOfTime
    from kato_balancing.client.errors import Refused as Refused
    from kato_balancing.client.errors import RegionDown as RegionDown
    from kato_balancing.client.errors import RetryBudgetSpent as RetryBudgetSpent
    from kato_balancing.client.errors import ServerFailed as ServerFailed
    from kato_balancing.client.errors import SessionHeld as SessionHeld
    from kato_balancing.client.errors import SessionNotFound as SessionNotFound
    from kato_balancing.client.errors import StoreUnavailable as StoreUnavailable
    from kato_balancing.client.errors import UnknownOutcome as UnknownOutcome
    from kato_balancing.client.failover import AsyncFailoverClient as AsyncFailoverClient
    from kato_balancing.client.failover import FailoverClient as FailoverClient
    from kato_balancing.client.guide_names import (
        CircuitBreakerLoadBalancer as CircuitBreakerLoadBalancer,
    )
    from kato_balancing.client.guide_names import GeoLoadBalancer as GeoLoadBalancer
    from kato_balancing.client.guide_names import (
        MetricsBasedLoadBalancer as MetricsBasedLoadBalancer,
    )
    from kato_balancing.client.health import AsyncHealthChecker as AsyncHealthChecker
    from kato_balancing.client.health import HealthChecker as HealthChecker
    from kato_balancing.client.hooks import CallEvent as CallEvent
    from kato_balancing.client.instances import Instance as Instance
    from kato_balancing.client.instances import Placement as Placement
    from kato_balancing.client.metrics import PrometheusHook as PrometheusHook
    from kato_balancing.client.policy import Policy as Policy
    from kato_balancing.client.regions import AsyncRegions as AsyncRegions
    from kato_balancing.client.regions import Regions as Regions
    from kato_balancing.client.session import AsyncKatoSession as AsyncKatoSession
    from kato_balancing.client.session import KatoSession as KatoSession
    from kato_balancing.client.session_events import KatoEvent as KatoEvent
    from kato_balancing.client.transport import AsyncKatoTransport as AsyncKatoTransport
    from kato_balancing.client.transport import KatoTransport as KatoTransport
    from kato_balancing.client.weighting import MetricsWeighting as MetricsWeighting
    from kato_balancing.client.weighting import WeightingSettings as WeightingSettings

_ERRORS: Final = (
    "KatoError", "NoInstance", "OutOfTime", "Refused", "RegionDown", "RetryBudgetSpent",
    "ServerFailed", "SessionHeld", "SessionNotFound", "StoreUnavailable", "UnknownOutcome",
)  # fmt: skip

_HOMES: Final[dict[str, str]] = {
    "AsyncRegions": "regions",
    "CircuitBreakerLoadBalancer": "guide_names",
    "GeoLoadBalancer": "guide_names",
    "KatoEvent": "session_events",
    "MetricsBasedLoadBalancer": "guide_names",
    "PrometheusHook": "metrics",
    "Regions": "regions",
    "AsyncFailoverClient": "failover",
    "AsyncHealthChecker": "health",
    "AsyncKatoSession": "session",
    "AsyncKatoTransport": "transport",
    "BreakerSettings": "breaker",
    "BreakerState": "breaker",
    "CallEvent": "hooks",
    "CircuitBreaker": "breaker",
    "FailoverClient": "failover",
    "HealthChecker": "health",
    "HealthSettings": "_health_state",
    "Instance": "instances",
    "InstanceState": "_pool",
    "KatoSession": "session",
    "KatoTransport": "transport",
    "MetricsWeighting": "weighting",
    "Placement": "instances",
    "Policy": "policy",
    "WeightingSettings": "weighting",
} | dict.fromkeys(_ERRORS, "errors")

__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list, computed


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return list(__all__)
