"""What the decisions ask their driver to do, and get back: the seam between thinking and doing."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from kato_balancing.client._pacing import Deadline
from kato_balancing.client._routes import Route

NO_HEADERS = httpx.Headers()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, without the instance that it goes to."""

    method: str
    target: bytes
    """Path and query as they are sent."""
    headers: httpx.Headers
    content: bytes
    route: Route
    deadline: Deadline

    @property
    def name(self) -> str:
        """For messages and metrics: no id in it."""
        if self.route.session is not None:
            return f"{self.method} {self.route.action or 'session'}"
        return f"{self.method} {self.target.partition(b'?')[0].decode(errors='replace')}"


@dataclass(frozen=True, slots=True)
class Send:
    """Send to an instance and wait for ``limit`` seconds; comes back with an Outcome."""

    instance: str
    method: str
    target: bytes
    headers: httpx.Headers
    content: bytes
    limit: float


@dataclass(frozen=True, slots=True)
class SendEither:
    """Send the first, after ``pause`` seconds without an answer the second too; comes back with
    the command that won and its Outcome."""

    first: Send
    second: Send
    pause: float


@dataclass(frozen=True, slots=True)
class SendAll:
    """Send at the same time; comes back with an Outcome for each."""

    sends: tuple[Send, ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """Send when there is time, whatever comes of it."""

    send: Send


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Acquire:
    """Take a session's lock within ``limit`` seconds; comes back with whether it was got."""

    lock: Any
    limit: float


Command = Send | SendEither | SendAll | Forget | Sleep | Acquire
Result = TypeVar("Result")
Steps = Generator[Command, Any, Result]
"""Decisions that ask for commands until they have a result."""
