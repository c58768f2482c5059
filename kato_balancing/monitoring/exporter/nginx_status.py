"""nginx's own numbers, from its stub_status page."""

import re
import urllib.error
import urllib.request
from dataclasses import dataclass

_LIMIT_SECONDS = 1.0

_FORM = re.compile(
    r"Active connections: \d+ \s+server accepts handled requests\s+(\d+) (\d+) \d+ \s+"
    r"Reading: (\d+) Writing: (\d+) Waiting: (\d+)"
)


@dataclass(frozen=True)
class NginxStatus:
    """Client connections of one nginx."""

    dropped: int
    """Accepted and closed at once since its start, for want of a free connection."""
    reading: int
    writing: int
    waiting: int


def fetch(url: str) -> NginxStatus | None:
    """The present numbers; None when nginx does not give them within a second."""
    try:
        with urllib.request.urlopen(url, timeout=_LIMIT_SECONDS) as answer:  # noqa: S310 - http only
            return parse(answer.read(4096).decode("ascii", "replace"))
    except (OSError, urllib.error.URLError, ValueError):
        return None


def parse(text: str) -> NginxStatus:
    """The numbers of a page; raises ValueError when it is not nginx's."""
    found = _FORM.search(text)
    if found is None:
        raise ValueError(f"not nginx's stub_status page: {text[:80]!r}")
    accepted, handled, reading, writing, waiting = map(int, found.groups())
    return NginxStatus(accepted - handled, reading, writing, waiting)
