"""KATO's calls and what repeating one does: the table that every retry decision starts from."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import unquote

from kato_balancing import kato


class Repeat(Enum):
    """What happens when a call is made twice."""

    READ = "read"
    """Nothing: any instance may be asked, at any time."""
    CREATE = "create"
    """A second session that nobody uses and that expires."""
    VERIFY = "verify"
    """The observation is there twice: repeat only when the session shows that it did not happen."""
    SET = "set"
    """The same state again: repeat once the first attempt can no longer run."""
    ONCE = "once"
    """Harm, and no way to see whether it happened: never repeat what was sent."""


@dataclass(frozen=True, slots=True)
class Route:
    """A call of KATO's API."""

    repeat: Repeat
    session: str | None = None
    """The session that the call belongs to."""
    action: str = ""
    """What follows the session's id in the path."""

    @property
    def writes_session(self) -> bool:
        """True when the call changes the session that it names."""
        return self.session is not None and self.repeat is not Repeat.READ


SESSION_CALLS: Final[dict[tuple[str, str], Repeat]] = {
    ("GET", ""): Repeat.READ,
    ("GET", "exists"): Repeat.READ,
    ("GET", "config"): Repeat.READ,
    ("GET", "stm"): Repeat.READ,
    ("GET", "percept-data"): Repeat.READ,
    ("GET", "cognition-data"): Repeat.READ,
    ("GET", "predictions"): Repeat.READ,
    ("POST", "observe"): Repeat.VERIFY,
    ("POST", "observe-sequence"): Repeat.VERIFY,
    ("POST", "learn"): Repeat.VERIFY,
    ("POST", "config"): Repeat.SET,
    ("POST", "extend"): Repeat.SET,
    ("POST", "clear-stm"): Repeat.SET,
    ("POST", "finalize-training"): Repeat.SET,
    ("DELETE", ""): Repeat.SET,
    # Wipes the node's knowledge, also what another session learned in between.
    ("POST", "clear-all"): Repeat.ONCE,
    ("POST", "patterns/retire"): Repeat.ONCE,
    ("POST", "patterns/un-retire"): Repeat.ONCE,
    ("POST", "patterns/purge"): Repeat.ONCE,
}
"""Method and action → what a repeat does, for every call under /sessions/{id} (KATO 6.3.0)."""

_SESSION: Final = re.compile(rf"/sessions/({kato.SESSION_ID_CLASS})(?:/(.*))?", re.DOTALL)


def route_of(method: str, path: str) -> Route:
    """The route of a request; ``path`` without its query, percent-encoded or not.

    An unknown call that is not a GET is never repeated.
    """
    path = unquote(path)
    found = _SESSION.fullmatch(path)
    if found and found[1] not in kato.RESERVED_SESSION_WORDS:
        action = (found[2] or "").rstrip("/")
        known = SESSION_CALLS.get((method, action))
        if known is None:
            known = Repeat.READ if method in ("GET", "HEAD") else Repeat.ONCE
        return Route(known, found[1], action)
    if (method, path) == ("POST", "/sessions"):
        return Route(Repeat.CREATE)
    return Route(Repeat.READ if method in ("GET", "HEAD", "OPTIONS") else Repeat.ONCE)
