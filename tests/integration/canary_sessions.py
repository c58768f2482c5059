"""Which sessions a canary must have: computed, because a share of drawn ones is only near it."""

from collections.abc import Iterable
from typing import Any

from kato_balancing.model import Canary
from kato_balancing.placement import haproxy_canary, nginx_canary

_POOL = {"servers": [{"name": "kato-canary-0", "host": "kato-canary-0"}]}


def on_canary(proxy: str, ids: Iterable[str], **settings: Any) -> set[str]:
    """Those of the sessions that go to a canary with these settings."""
    canary = Canary.model_validate({"pool": _POOL, **settings})
    program = {"nginx": nginx_canary, "haproxy": haproxy_canary}[proxy]
    return {session for session in ids if program.takes(canary, session)}
