"""What HAProxy, or a version of it, can't do is refused by the setting's path."""

import pytest
from sample_haproxy import ADDRESSES, CANARY, DNS, settings

from kato_balancing import haproxy
from kato_balancing.model import Balancer
from kato_balancing.targets import UnsupportedFeature

OLD, NEW = (2, 6, 12), (3, 2, 26)
FOUND = {"pool": {"discovery": {"name": "kato.local"}}}
APART = {"tls": {"certificate": "/c/a.pem", "key": "/c/b.pem"}}

TABLE = [
    ("version", settings(), (2, 5, 9), "use 2.6 or newer"),
    ("learned", settings(learned={}), OLD, "use 3.2 or newer"),
    ("learned", settings(learned={}), (3, 0, 0), "use 3.2 or newer"),
    ("learned", settings(learned={}, limits={"balancers": 2}), NEW, "leave it out"),
    ("pool.discovery", FOUND, NEW, "needs resolver.address"),
    ("pool.discovery", {**FOUND, **DNS}, OLD, "use 3.0 or newer, or list the servers"),
    ("pool.discovery", {**FOUND, **DNS, "affinity": "CLIENT_IP"}, OLD, "use 3.0 or newer"),
    ("pool.discovery", {**FOUND, **DNS, "affinity": "COOKIE"}, NEW, "list the servers"),
    (
        "canary.pool.discovery",
        settings(canary={"pool": FOUND["pool"], "share": 5}),
        NEW,
        "needs resolver.address",
    ),
    ("resolver.address", settings(resolver={"address": "dns.local"}), NEW, "IP address"),
    ("canary", settings(affinity="COOKIE", **CANARY), NEW, "use SESSION affinity"),
    ("tls.key", settings(**APART), OLD, "use 3.0 or newer"),
    ("timeouts.send", settings(timeouts={"send": 30}), NEW, "leave it out"),
    (
        "health.passive.window",
        settings(health={"passive": {"window": 9}}),
        NEW,
        "leave it out",
    ),
    (
        "drain.keep_alive",
        settings(drain={"seconds": 5, "keep_alive": 6}),
        NEW,
        "at most drain.seconds",
    ),
    (
        "limits.requests",
        settings(limits={"requests": 1}, balancing="LEAST_CONNECTIONS"),
        NEW,
        "at least 2",
    ),
]


@pytest.mark.parametrize(("path", "data", "version", "cure"), TABLE)
def test_what_can_not_be_rendered_is_refused(path, data, version, cure):
    with pytest.raises(UnsupportedFeature) as caught:
        haproxy.render(Balancer.of(data), version)

    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")
    assert cure in str(caught.value)


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (settings(), (2, 6, 0)),
        (settings(learned={}), (3, 2, 0)),
        ({**FOUND, **DNS}, (3, 0, 0)),
        ({**FOUND, **DNS, "affinity": "NONE"}, (2, 6, 0)),
        (settings(**APART), (3, 0, 0)),
        (settings(tls={"certificate": "/c/a.pem", "key": "/c/a.pem.key"}), (2, 6, 0)),
        (settings(tls={"certificate": "/c/a.crt", "key": "/c/a.key"}), (2, 6, 0)),
        (settings(learned={}), (3, 4, 0)),
    ],
)
def test_the_oldest_versions_that_can_are_taken(data, version):
    assert "backend kato\n" in haproxy.render(Balancer.of(data), version)


def test_every_refusal_is_told_at_once():
    model = Balancer.of(
        settings(ADDRESSES, learned={}, limits={"balancers": 2}, timeouts={"send": 3}, **APART)
    )

    told = [error.path for error in haproxy.refusals(model, OLD)]
    assert told == ["learned", "learned", "tls.key", "timeouts.send"]
    assert haproxy.refusals(Balancer.of(settings()), OLD) == []


def test_without_an_address_the_machines_own_dns_is_asked() -> None:
    text = haproxy.render(Balancer.of(settings(resolver={})), NEW)

    assert "    parse-resolv-conf\n" in text
    assert "nameserver" not in text
