"""The rendered files, byte by byte (see conftest for how to write them again)."""

from collections.abc import Callable
from typing import Any

import pytest

from kato_balancing import nginx
from kato_balancing.model import Balancer
from kato_balancing.targets import Version

NAMED = [{"name": f"kato-{i}", "host": f"kato-{i}"} for i in range(3)]
ADDRESSES = [
    {"name": "kato-0", "host": "192.0.2.10"},
    {"name": "kato-1", "host": "192.0.2.11", "port": 8001},
    {"name": "kato-2", "host": "2001:db8::12", "weight": 2},
]
DOCKER = {"resolver": {"address": "127.0.0.11"}}

MATRIX: dict[str, tuple[list[dict[str, Any]], dict[str, Any], Version]] = {
    "session.conf": (NAMED, {**DOCKER, "reveal_servers": True}, (1, 30, 4)),
    "session-least-connections.conf": (
        NAMED,
        {**DOCKER, "balancing": "LEAST_CONNECTIONS"},
        (1, 30, 4),
    ),
    "session-backup.conf": (
        [*NAMED, {"name": "spare", "host": "spare", "backup": True}],
        DOCKER,
        (1, 30, 4),
    ),
    "session-draining.conf": ([*NAMED[:2], {**NAMED[2], "draining": True}], DOCKER, (1, 30, 4)),
    "session-addresses-1.22.conf": (ADDRESSES, {}, (1, 22, 0)),
    "none-least-connections.conf": (
        [
            {**NAMED[0], "weight": 3},
            NAMED[1],
            {"name": "spare", "host": "spare", "backup": True},
        ],
        {**DOCKER, "affinity": "NONE", "balancing": "LEAST_CONNECTIONS"},
        (1, 30, 4),
    ),
    "client-ip-trusted-proxy.conf": (
        [*NAMED, {"name": "spare", "host": "spare", "backup": True}],
        {**DOCKER, "affinity": "CLIENT_IP", "listener": {"trusted_proxies": ["10.0.0.0/8"]}},
        (1, 30, 4),
    ),
    "cookie-tls.conf": (
        [*NAMED[:2], {**NAMED[2], "draining": True}],
        {
            **DOCKER,
            "affinity": "COOKIE",
            "cookie": {"max_age": 3600},
            "tls": {"certificate": "/etc/kato/tls.crt", "key": "/etc/kato/tls.key"},
        },
        (1, 30, 4),
    ),
    "learned-canary.conf": (
        NAMED,
        {
            **DOCKER,
            "learned": {},
            "balancing": "LEAST_CONNECTIONS",
            "canary": {"pool": {"servers": [{"name": "new", "host": "new"}]}, "share": 5},
        },
        (1, 30, 4),
    ),
    "no-access-log.conf": (ADDRESSES, {"access_log": False, "private_paths": []}, (1, 30, 4)),
}


@pytest.mark.parametrize("name", MATRIX)
def test_the_file_is_the_one_that_was_read_and_kept(
    name: str, golden: Callable[[str, str], None], make: Callable[..., Balancer]
) -> None:
    servers, settings, version = MATRIX[name]

    golden(name, nginx.render(make(servers, **settings), version))
