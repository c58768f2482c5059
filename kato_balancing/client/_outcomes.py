"""What an attempt came to, by what it says about the request: the heart of every decision."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import httpx

from kato_balancing.headers import TRACE_HEADER


class Kind(Enum):
    """How an attempt ended."""

    ANSWERED = "answered"
    """KATO did it, or said why it would not (1xx to 4xx)."""
    NOT_SENT = "not sent"
    """There was no connection."""
    NOT_RUN = "not run"
    """An answer that says that nothing was run."""
    FAILED = "failed"
    """KATO's application answered 5xx: it is over, but what it did is unknown."""
    CUT = "cut"
    """The connection ended without an answer, or a balancer says so: it may have been done."""
    SILENT = "silent"
    """No answer in time: it may still be running, or still be waiting to be run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt."""

    kind: Kind
    response: httpx.Response | None = None
    error: Exception | None = None

    @property
    def status(self) -> int | None:
        """The HTTP status, if there was an answer."""
        return self.response.status_code if self.response is not None else None

    @property
    def said(self) -> str:
        """For messages."""
        if self.response is not None:
            return f"HTTP {self.response.status_code}"
        return f"{type(self.error).__name__}: {self.error}" if self.error else self.kind.value


OVER_THE_LIMIT: Final = b"Service Unavailable"
"""Body of uvicorn's 503 above its connection limit: the request was not run."""

NO_SERVER: Final = b"No server is available to handle this request"
"""In HAProxy's 503: no server was connected, or the queue was too long."""

_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_SILENT: Final = (httpx.ReadTimeout, httpx.WriteTimeout)
_CUT: Final = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)


def of_error(error: httpx.TransportError) -> Outcome | None:
    """The outcome of an attempt that raised; None when the request itself is at fault."""
    for kinds, kind in ((_NOT_SENT, Kind.NOT_SENT), (_SILENT, Kind.SILENT), (_CUT, Kind.CUT)):
        if isinstance(error, kinds):
            return Outcome(kind, error=error)
    return None


def of_response(response: httpx.Response) -> Outcome:
    """The outcome of an answer whose body was read."""
    status = response.status_code
    if status < 500:
        return Outcome(Kind.ANSWERED, response)
    if TRACE_HEADER in response.headers:
        return Outcome(Kind.FAILED, response)
    if status == 503 and _says_not_run(response):
        return Outcome(Kind.NOT_RUN, response)
    # KATO's own plain-text 500 has no trace id; a balancer's 502 and 504 neither.
    if status == 504:
        return Outcome(Kind.SILENT, response)
    return Outcome(Kind.CUT if status in (502, 503) else Kind.FAILED, response)


def _says_not_run(response: httpx.Response) -> bool:
    if "application/json" in response.headers.get("content-type", ""):
        return False  # KATO's own, from 5.1.0 on: it may have run
    body = response.content.strip()
    # This project's nginx answers 503 with Retry-After above its limit, without forwarding.
    return body == OVER_THE_LIMIT or NO_SERVER in body or "retry-after" in response.headers
