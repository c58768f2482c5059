"""Settings that HAProxy is rendered for in the tests, by the name of their golden file."""

from typing import Any

ADDRESSES = [{"name": f"kato-{i}", "host": f"192.0.2.{10 + i}"} for i in range(3)]
NAMED = [{"name": f"kato-{i}", "host": f"kato-{i}"} for i in range(3)]
SPARES = [{"name": f"spare-{i}", "host": f"192.0.2.{20 + i}", "backup": True} for i in range(2)]
DNS = {"resolver": {"address": "127.0.0.11"}}
CANARY = {"canary": {"pool": {"servers": [{"name": "next", "host": "192.0.2.30"}]}, "share": 5}}


def settings(servers: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """Plain settings of a balancer."""
    return {"pool": {"servers": servers or ADDRESSES}, **more}


BOTH: dict[str, dict[str, Any]] = {
    "session": settings(reveal_servers=True),
    "session-names": settings(NAMED, **DNS),
    "session-least-connections": settings(balancing="LEAST_CONNECTIONS"),
    "session-backup": settings([*ADDRESSES, *SPARES]),
    "session-draining": settings(
        [*ADDRESSES[:2], {**ADDRESSES[2], "draining": True}], balancing="LEAST_CONNECTIONS"
    ),
    "session-ipv6": settings([{"name": "kato-0", "host": "2001:db8::10", "weight": 7}]),
    "canary": settings(**CANARY),
    "client-ip": settings(
        affinity="CLIENT_IP", listener={"trusted_proxies": ["10.0.0.0/8", "fd00::/8"]}
    ),
    "client-ip-canary": settings(affinity="CLIENT_IP", **CANARY),
    "cookie": settings(affinity="COOKIE", cookie={"max_age": 3600, "same_site": "strict"}),
    "cookie-tls": settings(
        affinity="COOKIE", tls={"certificate": "/c/kato.crt", "key": "/c/kato.key"}
    ),
    "none-weights": settings(
        [{**ADDRESSES[0], "weight": 3}, {**ADDRESSES[1], "weight": 2}, ADDRESSES[2]],
        affinity="NONE",
    ),
    "none-least-connections": settings(affinity="NONE", balancing="LEAST_CONNECTIONS"),
    "active": settings(
        health={"active": {"path": "/sessions/lb-probe/exists", "timeout": 0.5, "fall": 3}}
    ),
    "bare": settings(
        access_log=False, private_paths=[], limits={"websockets": 0}, retry={"tries": 1}
    ),
    "private-everything": settings(private_paths=["/", "/a//b/", "/./c"]),
    "tls": settings(tls={"certificate": "/c/kato.pem", "key": "/c/kato.pem"}),
    "discovery-none": {
        "pool": {"discovery": {"name": "kato.ns.svc"}}, "affinity": "NONE", **DNS,
    },
}  # fmt: skip
"""Rendered for every version."""

NEWER: dict[str, dict[str, Any]] = {
    "learned": settings(learned={}),
    "learned-least-connections": settings(learned={}, balancing="LEAST_CONNECTIONS"),
    "discovery": {"pool": {"discovery": {"name": "kato.ns.svc"}}, **DNS},
    "tls-apart": settings(tls={"certificate": "/c/kato.pem", "key": "/c/other.pem"}),
}
"""Rendered for 3.2 only."""

VERSIONS = {"2.6": (2, 6, 12), "3.2": (3, 2, 26)}

MATRIX = [
    *((name, version) for name in BOTH for version in VERSIONS),
    *((name, "3.2") for name in NEWER),
]
