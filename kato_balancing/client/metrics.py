"""Prometheus metrics of a client. Needs ``prometheus_client``
(``pip install kato-load-balancing[metrics]``)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from kato_balancing.client._pool import InstanceState
from kato_balancing.client.breaker import BreakerState
from kato_balancing.client.hooks import CallEvent

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily


class Watched(Protocol):
    """A client."""

    def states(self) -> list[InstanceState]:
        """Its instances."""


class PrometheusHook:
    """Counts attempts and decisions; with :meth:`watch` also shows a client's instances.

    >>> hook = PrometheusHook()  # doctest: +SKIP
    >>> client = FailoverClient(urls, hooks=(hook,))  # doctest: +SKIP
    >>> hook.watch(client)  # doctest: +SKIP

    ``registry`` defaults to prometheus_client's own. No label holds an id: calls are named by
    method and action.
    """

    def __init__(self, registry: "CollectorRegistry | None" = None) -> None:
        try:
            from prometheus_client import REGISTRY, Counter, Histogram  # noqa: PLC0415 - optional
        except ImportError as error:
            raise ImportError(
                "metrics need the extra 'metrics': prometheus_client is missing"
            ) from error
        self._registry = registry or REGISTRY
        self._seconds = Histogram(
            "kato_client_attempt_seconds",
            "Time of an attempt",
            ("call", "instance", "result"),
            registry=self._registry,
        )
        self._events = Counter(
            "kato_client_decisions",
            "Repeats, decisions after an ambiguous failure, held calls",
            ("what", "call", "instance", "result"),
            registry=self._registry,
        )

    def __call__(self, event: CallEvent) -> None:
        """A client's hook."""
        if event.what == "attempt":
            self._seconds.labels(event.call, event.instance, event.result).observe(event.seconds)
        else:
            self._events.labels(event.what, event.call, event.instance, event.result).inc()

    def watch(self, client: Watched) -> None:
        """Show the instances of a client: up, breaker, calls in flight."""
        self._registry.register(_States(client))


class _States:
    def __init__(self, client: Watched) -> None:
        self._client = client

    def collect(self) -> "Iterator[GaugeMetricFamily]":
        """For prometheus_client."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - optional

        up = GaugeMetricFamily(
            "kato_client_instance_up", "Health checks say so", labels=["instance"]
        )
        open_ = GaugeMetricFamily(
            "kato_client_breaker_open", "1 open, 0.5 half-open", labels=["instance"]
        )
        in_flight = GaugeMetricFamily(
            "kato_client_in_flight", "Calls in flight", labels=["instance"]
        )
        numbers = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}
        for state in self._client.states():
            up.add_metric([state.name], float(state.up))
            open_.add_metric([state.name], numbers[state.breaker])
            in_flight.add_metric([state.name], float(state.in_flight))
        yield from (up, open_, in_flight)

    def describe(self) -> "list[GaugeMetricFamily]":
        """Nothing is known before a client is asked."""
        return []
