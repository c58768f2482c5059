"""The parts of one application, and how a route handler gets at them."""

import time
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from .caching import Cached
from .environment import Settings
from .events import Events
from .faults import CLICKHOUSE_DOWN, Faults
from .sessions import Sessions
from .traffic import Traffic
from .work import Work


@dataclass(frozen=True)
class Parts:
    """Everything that requests of one process share."""

    settings: Settings
    sessions: Sessions
    work: Work
    events: Events
    faults: Faults
    traffic: Traffic
    session_count: Cached[int]
    metrics: Cached[dict[str, Any]]
    started: float = field(default_factory=time.time)
    """Epoch seconds."""

    @property
    def uptime(self) -> float:
        """Seconds since the process made its application."""
        return time.time() - self.started


def _parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _clickhouse_is_down(request: Request) -> bool:
    return bool(request.scope.get(CLICKHOUSE_DOWN, False))


PartsHere = Annotated[Parts, Depends(_parts_of)]
ClickhouseDown = Annotated[bool, Depends(_clickhouse_is_down)]
