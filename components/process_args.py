"""KATO's own numbers as component inputs; the same group goes to the backend and the balancer."""

from typing import NotRequired, TypedDict


class KatoProcessSettings(TypedDict):
    """KATO's own numbers, as the replicas run it."""

    workers: NotRequired[int]
    """Processes per replica. The session lock lives in one process. Defaults to 1."""
    connection_limit: NotRequired[int]
    """Open connections that a process accepts, idle ones included. Defaults to 500."""
    keep_alive: NotRequired[float]
    """Seconds after which KATO closes an idle connection. Defaults to 5, which the image fixes."""
    graceful_shutdown: NotRequired[float]
    """Seconds that requests in flight get at a stop. Defaults to 30, which the image fixes."""
    session_ttl: NotRequired[int]
    """Life of an idle session in seconds, 60 to 86400. Defaults to 3600."""
