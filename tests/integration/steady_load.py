"""The load under which things happen to a stack."""

from typing import Any

from kato_balancing.verify.load import SteadyLoad

CLIENTS = 32
THINK_TIME = 0.1
"""Seconds: as busy as people are, and the machine has time for what happens meanwhile."""


def steady_load(url: str, **more: Any) -> SteadyLoad:
    """32 clients with a connection and a session each."""
    return SteadyLoad(url, clients=CLIENTS, think_time=THINK_TIME, **more)
