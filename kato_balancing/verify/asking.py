"""Send one request, never twice, and describe what came back; failures are answers too."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx

from kato_balancing.headers import TRACE_HEADER
from kato_balancing.verify.naming import servers_named
from kato_balancing.verify.target import Target

OUT_OF_TIME: Final = "OutOfTime"
"""The kind of a request that was cut off because its whole time was used up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request came to."""

    kind: str
    """The status code, such as ``502``, or the name of what went wrong, such as
    ``ConnectError``."""
    status: int | None
    body: Any
    """The JSON of the answer, ``None`` when it is not JSON."""
    servers: tuple[str, ...]
    """Servers that the balancer named, the one that answered last."""
    from_kato: bool
    """KATO's application made this answer: it carries a trace id."""
    location: str | None
    """Where a redirect leads."""
    detail: str
    """What went wrong in the words of whoever noticed, empty when there is an answer."""
    seconds: float

    @property
    def ok(self) -> bool:
        """KATO answers 200 to everything that went well."""
        return self.status == httpx.codes.OK

    @property
    def server(self) -> str | None:
        """The server that answered, if the balancer says so."""
        return self.servers[-1] if self.servers else None

    def text(self, key: str) -> str | None:
        """The text under ``key`` of a JSON object, ``None`` when there is none."""
        value = self.body.get(key) if isinstance(self.body, dict) else None
        return value if isinstance(value, str) else None


async def ask(
    target: Target,
    client: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    body: object = None,
    headers: dict[str, str] | None = None,
    extensions: dict[str, Any] | None = None,
) -> Answer:
    """Send one request and wait at most ``target.timeout`` seconds for the whole answer."""
    started = time.monotonic()
    try:
        # httpx limits each read; a server that drips bytes would never end without this.
        async with asyncio.timeout(target.timeout):
            response = await client.request(
                method,
                target.address(path),
                json=body,
                headers=headers,
                extensions=extensions,
            )
    except httpx.RequestError as error:
        return _failure(type(error).__name__, str(error), started)
    except TimeoutError:
        return _failure(OUT_OF_TIME, f"no whole answer within {target.timeout:g} s", started)
    return Answer(
        kind=str(response.status_code),
        status=response.status_code,
        body=_json(response),
        servers=servers_named(response.headers.get(target.server_header)),
        from_kato=TRACE_HEADER in response.headers,
        location=response.headers.get("Location"),
        detail="",
        seconds=time.monotonic() - started,
    )


def session_path(session: str, rest: str = "") -> str:
    """The path of a session's resource, e.g. ``/sessions/ID/stm`` for ``rest="/stm"``."""
    return f"/sessions/{quote(session, safe='')}{rest}"


def observation(token: str) -> dict[str, object]:
    """The body of an observe request whose event is the one string ``token``."""
    return {"strings": [token], "vectors": [], "emotives": {}}


def _failure(kind: str, detail: str, started: float) -> Answer:
    return Answer(
        kind=kind,
        status=None,
        body=None,
        servers=(),
        from_kato=False,
        location=None,
        detail=detail,
        seconds=time.monotonic() - started,
    )


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
