"""Balancers to test with."""

from typing import Any

from kato_balancing.model import Balancer


def make_balancer(servers: list[dict[str, Any]] | None = None, **settings: Any) -> Balancer:
    """A balancer of the given servers, three by default."""
    listed = servers or [{"name": f"kato-{i}", "host": f"kato-{i}"} for i in range(3)]
    return Balancer.of({"pool": {"servers": listed}, **settings})
