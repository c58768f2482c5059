"""The ways in which a request can name its session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from kato_balancing.headers import SESSION_HEADER
from kato_balancing.verify.asking import session_path


@dataclass(frozen=True, slots=True)
class Way:
    """One way: how to ask, and what to correct when it leads elsewhere than the plain path."""

    name: str
    path: Callable[[str], str]
    headers: Callable[[str], Mapping[str, str]]
    cure: str


def _no_headers(session: str) -> Mapping[str, str]:
    del session
    return {}


def _health(session: str) -> str:
    del session
    return "/health"


def _encoded(session: str) -> str:
    first, rest = session[0], session[1:]
    escaped = "".join(f"%{byte:02X}" for byte in first.encode())
    return f"/sessions/{escaped}{session_path(rest)[len('/sessions/') :]}/exists"


PATH: Final = Way(
    name="path",
    path=lambda session: session_path(session, "/exists"),
    headers=_no_headers,
    cure="Hash consistently on the session id in the path. One server name with several addresses "
    "has no affinity at all: list every server by its own name. Bounded-load hashing and "
    "leastconn break affinity too.",
)

WAYS: Final = (
    PATH,
    Way(
        name="query",
        # Right behind the id, where a key that is cut at the next slash swallows it.
        path=lambda session: session_path(session, "?verify=1"),
        headers=_no_headers,
        cure="Take the session id from the path without the query: in nginx $uri instead of "
        "$request_uri, in HAProxy path instead of url.",
    ),
    Way(
        name="double slash",
        path=lambda session: "/" + session_path(session, "/exists"),
        headers=_no_headers,
        cure="Take the session id from the normalised path: in nginx $uri with merge_slashes on, "
        "in HAProxy after http-request normalize-uri path-merge-slashes.",
    ),
    Way(
        name="encoded",
        path=_encoded,
        headers=_no_headers,
        cure="Take the session id from the decoded path, since KATO decodes it: in nginx $uri, in "
        "HAProxy path,url_dec.",
    ),
    Way(
        name="header",
        path=_health,
        headers=lambda session: {SESSION_HEADER: session},
        cure=f"Use the request header {SESSION_HEADER} as the key where the path names no session, "
        "hashed in the same way as the session id of the path.",
    ),
)
"""All ways, the plain path first: the others are compared with it."""
