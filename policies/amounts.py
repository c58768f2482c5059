"""Numbers as Kubernetes and Docker write them."""

import math
import re
from typing import Final

from .values import Value

_PERCENT: Final = re.compile(r"(\d{1,3})%")
_GO: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)")
_GO_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def int_or_percent(value: Value, of: int, *, up: bool) -> int | None:
    """An IntOrString as a count of ``of`` things; rounded as the API server does."""
    data = value.get()
    if isinstance(data, str):
        found = _PERCENT.fullmatch(data)
        if found is not None:
            share = int(found[1]) * of / 100
            return math.ceil(share) if up else math.floor(share)
        return int(data) if data.isdecimal() and len(data) < 10 else None
    return value.whole()


def go_seconds(text: str | None) -> float | None:
    """A Go duration such as ``1m30s`` in seconds."""
    if text is None:
        return None
    rest, total = text.strip(), 0.0
    if rest == "0":
        return 0.0
    while rest:
        found = _GO.match(rest)
        if found is None:
            return None
        total += float(found[1]) * _GO_SECONDS[found[2]]
        rest = rest[found.end() :]
    return total if text.strip() else None
