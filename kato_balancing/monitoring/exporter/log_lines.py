"""What a datagram of the balancer's log says: a request, a server put aside, or nothing of use."""

import json
import re
from typing import NamedTuple


class Request(NamedTuple):
    """One request from the access log."""

    session: str
    """Empty when it belongs to none."""
    tried: tuple[str, ...]
    """Servers that were asked, in order: nginx writes addresses, HAProxy the last one's name."""
    answered: bool
    """The last of them gave a whole answer."""
    code: str
    """Status that the client got; ``none`` when it went away before."""
    seconds: float


class Ejection(NamedTuple):
    """A server that gets nothing for a while, because it failed."""

    server: str


class UnreadableLine(ValueError):  # noqa: N818 - a fact about the line, not a fault
    """The line is none of the access log's, nor of the error log's."""


UPSTREAMS = frozenset({"kato", "kato_spread", "kato_canary", "kato_canary_spread", "kato_backup"})
"""nginx logs an upstream's own name when none of its servers could be asked."""

NOTHING = "-"
"""HAProxy writes this for what is empty; nginx does for a server's missing answer."""

_DECODER = json.JSONDecoder(strict=False)
"""Made once: a line costs a third less than with json.loads and its options."""

_TEXTS = ("session", "upstream", "upstream_status", "status")

_BALANCERS_OWN = frozenset({"502", "504"})
"""nginx writes these for a server that gave no answer; KATO gives neither."""

_NGINX_EJECTION = re.compile(
    rb'\[warn\] [\d#]+: (?:\*\d+ )?upstream server temporarily disabled while .*?, upstream: "'
    rb'https?://([^/"]+)'
)
_HAPROXY_EJECTION = re.compile(rb"^Server [^/\s]+/(\S+) is DOWN(?! via )")


def read(datagram: bytes) -> Request | Ejection | None:
    """What the line says; None for what nobody counts. Raises UnreadableLine."""
    message = _message(datagram)
    if message.startswith(b"{"):
        return _request(message)
    found = _NGINX_EJECTION.search(message) or _HAPROXY_EJECTION.match(message)
    return Ejection(found[1].decode("ascii", "replace")) if found else None


def _message(datagram: bytes) -> bytes:
    """The line without nginx's syslog header, ``<190>Nov 25 03:42:43 nginx: ``."""
    return datagram.partition(b": ")[2] if datagram.startswith(b"<") else datagram


def _request(message: bytes) -> Request:
    try:
        fields = _DECODER.decode(message.decode("utf-8", "replace"))
        texts = session, upstream, statuses, code = [fields[name] for name in _TEXTS]
        seconds = max(0.0, float(fields["seconds"]))
        # Refuses what is no text, in a tenth of the time of asking each.
        "".join(texts)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableLine(str(error)) from None
    tried = _tried(upstream, statuses)
    last = statuses if len(statuses) == 3 else statuses[-3:]
    return Request(
        "" if session == NOTHING else session,
        tried,
        bool(tried) and last.isdigit() and last not in _BALANCERS_OWN,
        code if len(code) == 3 and code.isdigit() else "none",
        seconds,
    )


def _tried(upstream: str, statuses: str) -> tuple[str, ...]:
    if not upstream or upstream[0] == "<" or upstream == NOTHING:
        return ()
    if " " not in upstream:
        return () if upstream in UPSTREAMS and statuses == "502" else (upstream,)
    # A comma stands between servers, a colon where nginx went to another location.
    return tuple(
        one for one in re.split(", | : ", upstream) if one not in ("", NOTHING, *UPSTREAMS)
    )
