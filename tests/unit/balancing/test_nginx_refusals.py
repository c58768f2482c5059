"""What nginx, or a version of it, can't do is refused by the setting's path."""

from collections.abc import Callable
from typing import Any

import pytest

from kato_balancing import nginx
from kato_balancing.model import Balancer
from kato_balancing.targets import UnsupportedFeature, Version

NEW = (1, 30, 4)
SERVER = {"name": "kato-0", "host": "kato-0"}
CANARY = {"pool": {"servers": [{"name": "new", "host": "new"}]}, "share": 5}
DISCOVERED = {"discovery": {"name": "kato.local"}}
RESOLVER = {"resolver": {"address": "127.0.0.11"}}


@pytest.mark.parametrize(
    ("path", "settings", "version", "cure"),
    [
        ("version", {}, (1, 21, 6), "use 1.22 or newer"),
        ("version", {}, (0, 9, 0), "use 1.22 or newer"),
        ("resolver", RESOLVER, (1, 27, 2), "use 1.27.3 or newer"),
        ("resolver", RESOLVER, (1, 22, 0), "give addresses"),
        (
            "resolver.forget",
            {"resolver": {**RESOLVER["resolver"], "forget": 2}},
            NEW,
            "leave it out",
        ),
        ("resolver.address", {"resolver": {}}, NEW, "does not read the machine's resolv.conf"),
        ("affinity", {"affinity": "COOKIE"}, (1, 29, 5), "use nginx 1.29.6 or newer"),
        ("affinity", {"affinity": "COOKIE"}, (1, 22, 0), "HAProxy"),
        ("learned", {"learned": {}}, (1, 29, 5), "use nginx 1.29.6 or newer"),
        ("learned", {"learned": {}, "limits": {"balancers": 2}}, NEW, "leave it out"),
        ("canary.share", {"canary": {**CANARY, "share": 0.001}}, NEW, "use 0.01 (got 0.001)"),
        ("canary.share", {"canary": {**CANARY, "share": 12.345}}, NEW, "use 12.35 (got 12.345)"),
        ("canary", {"canary": CANARY, "affinity": "COOKIE"}, NEW, "use SESSION"),
        ("resolver", {"pool": DISCOVERED}, NEW, "required with pool.discovery"),
        ("resolver", {"canary": {"pool": DISCOVERED, "share": 5}}, NEW, "canary.pool.discovery"),
        ("resolver", {"pool": DISCOVERED, **RESOLVER}, (1, 27, 2), "use 1.27.3 or newer"),
        (
            "pool.discovery",
            {"pool": DISCOVERED, "affinity": "COOKIE", **RESOLVER},
            NEW,
            "list the servers",
        ),
        ("drain.keep_alive", {"drain": {"keep_alive": 10}}, (1, 27, 3), "use 1.27.4 or newer"),
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
