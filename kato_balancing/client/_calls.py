"""KATO's calls as requests, and answers as results or errors: shared by both handles. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from kato_balancing.client.errors import Refused, ServerFailed, SessionNotFound


@dataclass(frozen=True, slots=True)
class Call:
    """A request to be made."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str] = field(default_factory=dict)


def create(
    node_id: str,
    config: Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
    ttl_seconds: int | None,
) -> Call:
    """POST /sessions."""
    optional = {"config": config, "metadata": metadata, "ttl_seconds": ttl_seconds}
    body = {"node_id": node_id} | {k: v for k, v in optional.items() if v is not None}
    return Call("POST", "/sessions", body)


def of_session(
    session: str, method: str, action: str = "", body: Mapping[str, Any] | None = None
) -> Call:
    """A call under /sessions/{id}."""
    return Call(method, f"/sessions/{quote(session, safe='')}" + (f"/{action}" if action else ""),
                body)  # fmt: skip


def observation(
    strings: Iterable[str],
    vectors: Iterable[Sequence[float]],
    emotives: Mapping[str, float] | None,
    metadata: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """One observation, in the form of observe and of observe-sequence."""
    if isinstance(strings, str):
        raise TypeError("strings is a list of texts, not one text")
    return {
        "strings": list(strings),
        "vectors": [list(vector) for vector in vectors],
        "emotives": dict(emotives or {}),
        "metadata": dict(metadata or {}),
    }


def result(response: httpx.Response, session: str | None) -> dict[str, Any]:
    """The answer's object. Raises SessionNotFound, Refused or ServerFailed."""
    status = response.status_code
    if status < 300:
        found = json.loads(response.content)
        return found if isinstance(found, dict) else {"value": found}
    kind = SessionNotFound if status == 404 and session else Refused
    raise (ServerFailed if status >= 500 else kind)(
        f"HTTP {status}: {response.text[:200]}", status=status, body=response.text, session=session
    )
