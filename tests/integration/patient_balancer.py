"""A balancer for tests of who owns what: a machine that other tests keep busy is no failure."""

from typing import Any

_PROBES = {"interval": 5, "intervalFailing": 5, "timeout": 4, "fall": 5}
"""A server is gone after 29 s without an answer; by default two seconds are enough."""


def patient_balancer(proxy: str, **more: Any) -> dict[str, Any]:
    """Settings of a balancer that names servers and waits long for the health of each; nginx has
    no probes."""
    health = {"health": {"active": _PROBES}} if proxy == "haproxy" else {}
    return {"revealServers": True, **health, **more}
