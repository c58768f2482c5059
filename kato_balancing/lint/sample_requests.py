"""Requests that a session key is tried with, as text on the request line."""

import posixpath
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from kato_balancing import headers

SESSION: Final = "session-0123456789abcdef0123456789abcdef-1700000000000"
"""A session's id in KATO's form."""
OTHER_SESSION: Final = "session-fedcba9876543210fedcba9876543210-1700000000001"


@dataclass(frozen=True)
class Sample:
    """A request: what stands on its first line, and its X-Session-ID header if it has one."""

    target: str
    session_header: str = ""

    @property
    def path(self) -> str:
        """The target without its query, undecoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the question mark."""
        return self.target.partition("?")[2]

    @property
    def normal_path(self) -> str:
        """The path as nginx's ``$uri`` has it: decoded, slashes merged, dots resolved."""
        path = re.sub(r"/+", "/", unquote(self.path, errors="replace"))
        whole = posixpath.normpath(path)
        return whole + "/" if path.endswith("/") and whole != "/" else whole

    def header(self, name: str) -> str:
        """A header's value, empty when the request has none."""
        return self.session_header if name.lower() == headers.SESSION_HEADER.lower() else ""


OWN: Final = Sample(f"/sessions/{SESSION}/stm")
"""The path that a session's key is measured by."""
OTHER: Final = Sample(f"/sessions/{OTHER_SESSION}/stm")
SAME_SESSION: Final = (Sample(f"/sessions/{SESSION}"), Sample(f"/sessions/{SESSION}/observe"))
WITH_QUERY: Final = Sample(f"/sessions/{SESSION}?x=1")
OTHER_SPELLINGS: Final = (
    Sample(f"/sessions/%73{SESSION[1:]}/stm"),
    Sample(f"/%73essions/{SESSION}/stm"),
    Sample(f"//sessions/{SESSION}/stm"),
    Sample(f"/./sessions/{SESSION}/stm"),
)
"""Spellings of the same path that KATO or a proxy on the way takes for it."""
ENCODED: Final = OTHER_SPELLINGS[:2]
"""Those of them that only decoding tells."""
NO_SESSION: Final = (
    Sample("/sessions/count"),
    Sample("/sessions/count?x=1"),
    Sample("/sessions/test/x"),
)
LINE_BREAK: Final = Sample("/sessions/a%0d%0ab/stm")
ONLY_HEADER: Final = Sample("/observe", session_header=SESSION)
STATUS: Final = Sample("/status")
EVENTS: Final = Sample("/ws/events")
