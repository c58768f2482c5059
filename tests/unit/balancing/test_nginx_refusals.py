"""What nginx, or a version of it, can't do is refused by the setting's path."""

from collections.abc import Callable
from typing import Any

import pytest

from kato_balancing import nginx
from kato_balancing.model import Balancer
from kato_balancing.targets import UnsupportedFeature, Version

NEW = (1, 30, 4)
SERVER = {"name": "kato-0", "host": "kato-0"}
RESOLVER = {"resolver": {"address": "127.0.0.11"}}


@pytest.mark.parametrize(
    ("path", "settings", "version", "cure"),
    [
        ("version", {}, (1, 21, 6), "use 1.22 or newer"),
        ("version", {}, (0, 9, 0), "use 1.22 or newer"),
        ("resolver", RESOLVER, (1, 27, 2), "use 1.27.3 or newer"),
        ("resolver", RESOLVER, (1, 22, 0), "give addresses"),
        ("affinity", {"affinity": "CLIENT_IP"}, NEW, "leave it out"),
        ("affinity", {"affinity": "COOKIE"}, NEW, "leave it out"),
        ("learned", {"learned": {}}, NEW, "leave it out"),
        ("canary", {"canary": {"pool": {"servers": [SERVER]}, "share": 5}}, NEW, "leave it out"),
        ("tls", {"tls": {"certificate": "/c.pem", "key": "/k.pem"}}, NEW, "leave it out"),
        ("pool.discovery", {"pool": {"discovery": {"name": "kato.local"}}}, NEW, "leave it out"),
        (
            "listener.trusted_proxies",
            {"listener": {"trusted_proxies": ["10.0.0.0/8"]}},
            NEW,
            "leave it out",
        ),
        ("health.active", {"health": {"active": {}}}, NEW, "HAProxy"),
    ],
)
def test_what_can_not_be_rendered_is_refused(
    path: str, settings: dict[str, Any], version: Version, cure: str
) -> None:
    balancer = Balancer.of({"pool": {"servers": [SERVER]}, **settings})

    with pytest.raises(UnsupportedFeature) as caught:
        nginx.render(balancer, version)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")
    assert cure in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "version"),
    [({}, (1, 22, 0)), (RESOLVER, (1, 27, 3)), (RESOLVER, (1, 30, 0)), ({}, (2, 0, 0))],
)
def test_the_oldest_versions_that_can_are_taken(
    settings: dict[str, Any], version: Version, make: Callable[..., Balancer]
) -> None:
    assert "upstream kato {" in nginx.render(make(**settings), version)
