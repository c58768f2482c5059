"""Three classes of KATO's load-balancing guide under their names, on top of this client.

The guide's other two, HealthChecker and FailoverClient, are this package's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from kato_balancing.client.failover import FailoverClient
from kato_balancing.client.instances import Instances, listed
from kato_balancing.client.policy import Policy
from kato_balancing.client.regions import RegionInstances, Regions
from kato_balancing.client.session import KatoSession
from kato_balancing.client.weighting import MetricsWeighting, WeightingSettings


class CircuitBreakerLoadBalancer(FailoverClient):
    """The guide's name for a client with a breaker per instance: every FailoverClient is one."""

    def get_available_instance(self) -> str | None:
        """URL of an instance whose breaker lets calls through; never None while there is one,
        because at most half of them are set aside."""
        serving = self.get_healthy_instances()
        return serving[0] if serving else None


class MetricsBasedLoadBalancer:
    """Chooses an instance for a new session by what was reported; by URL as in the guide.

    What never reported, or not for 10 seconds, is unknown: it gets a trial now and then instead
    of most of the sessions.
    """

    def __init__(self, instances: Instances, settings: WeightingSettings | None = None) -> None:
        self._urls = {one.url: one.name for one in listed(instances)}
        self._weighting = MetricsWeighting(self._urls, settings)

    def update_metrics(self, url: str, load: float, latency: float) -> None:
        """Report an instance's ``load`` (calls in flight) and ``latency`` (seconds of a call)."""
        if load < 0 or latency < 0:
            raise ValueError("load and latency must not be negative")
        self._weighting.begin(url)
        self._weighting.end(url, latency * (1 + load))

    def get_weighted_instance(self) -> str:
        """URL of the better of two instances chosen at random."""
        return self._weighting.choose(list(self._urls))


class GeoLoadBalancer:
    """Creates sessions in a region that is named; see :class:`Regions` for "the nearest one".

    Unlike the guide's it needs the regions' addresses, and an unknown region is an error.
    """

    def __init__(self, regions: RegionInstances, policy: Policy | None = None) -> None:
        self.regions: Mapping[str, Sequence[str] | Any] = dict(regions)
        self._regions = Regions(regions, policy=policy)

    def get_instance_for_region(self, region: str) -> str:
        """URL of an instance of the region. Raises ValueError and RegionDown."""
        return self._regions.get_instance_for_region(region)

    def create_session(self, node_id: str, region: str) -> str:
        """A new session in that region; its handle, for :meth:`session`."""
        self.get_instance_for_region(region)
        session = self._regions.clients[region].create_session(node_id)
        return f"{region}/{session}"

    def session(self, handle: str) -> KatoSession:
        """The session of a handle."""
        return self._regions.attach(handle)

    def request(self, handle: str, method: str, action: str = "", **more: Any) -> httpx.Response:
        """A call of the session of a handle, e.g. ``request(handle, "GET", "stm")``."""
        session = self._regions.attach(handle)
        path = f"/sessions/{session.session_id}" + (f"/{action}" if action else "")
        return self._regions.clients[handle.partition("/")[0]].request(method, path, **more)

    def close(self) -> None:
        """Close all clients."""
        self._regions.close()
