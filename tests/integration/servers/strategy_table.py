"""The strategies and their table: what ``docs/strategies.md`` is made of."""

import json
from collections.abc import Mapping
from typing import Any

import strategy_failures as failures
import strategy_sessions as sessions
import strategy_spreading as spreading
import strategy_transport as transport
from strategy_stage import CERTIFICATE, Strategy

TARGETS = {
    "nginx:1.22": "nginx 1.22",
    "nginx:1.30": "nginx 1.30",
    "haproxy:2.6": "HAProxy 2.6",
    "haproxy:3.2": "HAProxy 3.2",
}

_THREE = [{"name": f"kato-{i}"} for i in range(3)]
_WEIGHTED = [{"name": f"kato-{i}", "weight": 3 - i} for i in range(3)]
_WITH_SPARE = [*_THREE, *({"name": f"spare-{i}", "backup": True} for i in range(2))]
_DRAINING = [_THREE[0], {"name": "kato-1", "draining": True}, _THREE[2]]
_PASSIVE = {"passive": {"failures": 2}}

STRATEGIES = [
    Strategy("Round robin", {"affinity": "NONE"}, _THREE, spreading.thirds),
    Strategy(
        "Least connections", {"affinity": "NONE", "balancing": "LEAST_CONNECTIONS"}, _THREE,
        spreading.least_connections,
    ),
    Strategy("Weighted", {"affinity": "NONE"}, _WEIGHTED, spreading.weights),
    Strategy("IP hash", {"affinity": "CLIENT_IP"}, _THREE, spreading.client_addresses),
    Strategy(
        "IP hash behind a trusted proxy",
        {"affinity": "CLIENT_IP", "listener": {"trusted_proxies": ["127.0.0.1/32"]}}, _THREE,
        spreading.forwarded_addresses,
    ),
    Strategy("Consistent session hash", {}, _THREE, sessions.session_hash),
    Strategy("Cookie", {"affinity": "COOKIE"}, _THREE, sessions.cookie),
    Strategy("Learned session table", {"learned": {}}, _THREE, sessions.learned),
    Strategy("Passive checks", {"health": _PASSIVE}, _THREE, failures.passive),
    Strategy(
        "Active checks", {"affinity": "NONE", "health": {"active": {}}}, _THREE, failures.active
    ),
    Strategy("Backup", {"affinity": "NONE"}, _WITH_SPARE, failures.backup),
    Strategy("Backup with session hash", {}, _WITH_SPARE, failures.backup),
    Strategy("Draining", {}, _DRAINING, failures.draining),
    Strategy("Limits and queue", {"limits": {"requests": 4}}, _THREE, transport.limits),
    Strategy("TLS", {"tls": CERTIFICATE}, _THREE, transport.tls),
    Strategy("WebSocket", {"limits": {"websockets": 50}}, _THREE, transport.websocket),
    Strategy(
        "Canary", {"canary": {"pool": {"servers": [{"name": "canary"}]}, "share": 5}}, _THREE,
        sessions.canary,
    ),
    Strategy(
        "Canary of new sessions",
        {
            "canary": {
                "pool": {"servers": [{"name": "canary"}]}, "share": 5, "mode": "NEW_SESSIONS",
                "since": sessions.BIRTHS[0],
            }
        },
        _THREE, sessions.canary_of_new_sessions,
    ),
]  # fmt: skip
"""Every row, in the table's order."""

_INTRODUCTION = """\
# Strategies

What every balancing strategy does on each supported server, oldest and newest. A test writes this
page from what it saw: each configuration is rendered, must be accepted without a warning
(`nginx -t`, `haproxy -c -dW`, as an unprivileged user) and is then tried on the real program. A
cell that says *refused* has the renderer's own message: the setting, and the version or way that
can.

The page is checked by every run of the tests. After a change, write it again with

    KATO_REWRITE_DOCS=1 venv/bin/python -m pytest tests/integration/servers/test_strategies.py

"""

_SETTINGS = """
## Settings

What each strategy sets in the balancer's model, beside the servers' addresses. What is not named
has its default.
"""


def page(cells: Mapping[tuple[str, str], str]) -> str:
    """The page, from what was seen: strategy and target → text."""
    lines = [
        "| Strategy | " + " | ".join(TARGETS.values()) + " |",
        "|---" * (len(TARGETS) + 1) + "|",
    ]
    for strategy in STRATEGIES:
        seen = (_one_line(cells[strategy.name, target]) for target in TARGETS)
        lines.append(f"| {strategy.name} | " + " | ".join(seen) + " |")
    settings = "".join(
        f"\n**{strategy.name}**\n\n```json\n{json.dumps(_written(strategy), indent=2)}\n```\n"
        for strategy in STRATEGIES
    )
    return _INTRODUCTION + "\n".join(lines) + "\n" + _SETTINGS + settings


def _written(strategy: Strategy) -> dict[str, Any]:
    return {"pool": {"servers": list(strategy.servers)}, **strategy.settings}


def _one_line(text: str) -> str:
    assert text.strip(), "a cell without a reason"
    return " ".join(text.split()).replace("|", "\\|")
