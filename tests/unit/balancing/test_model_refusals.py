"""The model refuses what can't work, by the field's path, with the rule and the cure."""

from collections.abc import Callable
from typing import Any

import pytest

from kato_balancing.model import Balancer
from kato_balancing.problems import InvalidInput

SERVER = {"name": "kato-0", "host": "kato-0"}
OTHER = {"name": "kato-1", "host": "kato-1"}


def _server(**fields: Any) -> dict[str, Any]:
    return {"pool": {"servers": [{**SERVER, **fields}]}}


def _pool(*servers: dict[str, Any]) -> dict[str, Any]:
    return {"pool": {"servers": list(servers)}}


def _refused(settings: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        Balancer.of({**_pool(SERVER), **settings})
    return [(problem.path, problem.message) for problem in caught.value.problems]


FIELDS = [
    ("port zero", _server(port=0), "pool.servers[0].port", "at least 1"),
    ("port too high", _server(port=70000), "pool.servers[0].port", "at most 65535"),
    ("port as text", _server(port="3"), "pool.servers[0].port", "without quotes"),
    ("port as truth", _server(port=True), "pool.servers[0].port", "whole number"),
    ("port with a fraction", _server(port=80.5), "pool.servers[0].port", "whole number"),
    ("weight zero", _server(weight=0), "pool.servers[0].weight", "at least 1"),
    ("weight too high", _server(weight=101), "pool.servers[0].weight", "at most 100"),
    ("weight as truth", _server(weight=True), "pool.servers[0].weight", "without quotes"),
    ("backup as text", _server(backup="yes"), "pool.servers[0].backup", "true or false"),
    ("name in capitals", _server(name="Kato"), "pool.servers[0].name", "lower-case"),
    ("name with a dot", _server(name="kato.0"), "pool.servers[0].name", "inner hyphens"),
    ("name too long", _server(name="a" * 64), "pool.servers[0].name", "1 to 63"),
    ("name missing", _pool({"host": "kato-0"}), "pool.servers[0].name", "is required"),
    ("host missing", _pool({"name": "kato-0"}), "pool.servers[0].host", "is required"),
    ("no servers", _pool(), "pool", "at least one"),
    ("servers no list", {"pool": {"servers": 3}}, "pool.servers", "must be a list"),
    ("pool no group", {"pool": 3}, "pool", "group of settings"),
    (
        "servers and discovery",
        {"pool": {"servers": [SERVER], "discovery": {"name": "kato.local"}}},
        "pool",
        "not both",
    ),
    ("one name twice", _pool(SERVER, {**OTHER, "name": "kato-0"}), "pool", "same name (kato-0)"),
    (
        "one address twice",
        _pool(SERVER, {**OTHER, "host": "kato-0"}),
        "pool",
        "same address (kato-0:8000)",
    ),
    (
        "no primary server",
        _pool({**SERVER, "draining": True}, {**OTHER, "backup": True}),
        "pool",
        "neither backup nor draining",
    ),
    ("unknown affinity", {"affinity": "sticky"}, "affinity", "SESSION, CLIENT_IP, COOKIE, NONE"),
    ("unknown balancing", {"balancing": "random"}, "balancing", "LEAST_CONNECTIONS"),
    ("unknown setting", {"retries": 1}, "retries", "check its spelling"),
    ("unknown setting in a group", {"timeouts": {"raed": 1}}, "timeouts.raed", "spelling"),
    ("time is no number", {"timeouts": {"read": float("nan")}}, "timeouts.read", "finite"),
    ("time without end", {"timeouts": {"read": float("inf")}}, "timeouts.read", "finite"),
    ("negative time", {"timeouts": {"read": -1}}, "timeouts.read", "greater than 0"),
    ("time as text", {"timeouts": {"read": "9"}}, "timeouts.read", "without quotes"),
    ("time as truth", {"timeouts": {"read": True}}, "timeouts.read", "a number of seconds"),
    ("path without slash", {"private_paths": ["x"]}, "private_paths[0]", "starts with /"),
    ("path with a brace", {"private_paths": ["/x{"]}, "private_paths[0]", "starts with /"),
    ("log as text", {"access_log": "on"}, "access_log", "true or false"),
    (
        "network with host bits",
        {"listener": {"trusted_proxies": ["10.0.0.1/8"]}},
        "listener.trusted_proxies[0]",
        "10.0.0.0/8",
    ),
    (
        "certificate without folder",
        {"tls": {"certificate": "a", "key": "/k"}},
        "tls.certificate",
        "absolute",
    ),
]

RELATIONS = [
    ("KATO closes first", {"keep_alive": {"idle": 5}}, "keep_alive.idle", "use 4"),
    ("KATO closes first, own number", {"process": {"keep_alive": 3}}, "keep_alive.idle", "below"),
    ("two writers a session", {"process": {"workers": 2}}, "process.workers", "add replicas"),
    ("one request too many", {"limits": {"requests": 314}}, "limits.requests", "at most 313"),
    (
        "two balancers share the budget",
        {"limits": {"requests": 132, "balancers": 2}},
        "limits.requests",
        "at most 131",
    ),
    (
        "two pools keep connections",
        {"limits": {"requests": 314}, "balancing": "LEAST_CONNECTIONS"},
        "limits.requests",
        "at most 277",
    ),
    (
        "nothing left for requests",
        {"process": {"connection_limit": 87}},
        "limits",
        "raise process.connection_limit",
    ),
    ("tries outlast the window", {"retry": {"window": 2.9}}, "retry.window", "raise it to 3"),
    ("window outlasts a read", {"retry": {"window": 301}}, "retry.window", "timeouts.read"),
    ("table without sessions", {"learned": {}, "affinity": "NONE"}, "learned", "SESSION"),
    (
        "live sessions forgotten",
        {"learned": {"timeout": 3599}},
        "learned.timeout",
        "at least KATO's session life",
    ),
    ("cookie without its affinity", {"cookie": {}}, "cookie", "COOKIE affinity"),
    ("equal ports", {"listener": {"port": 8081}}, "listener.private_port", "must differ"),
]


@pytest.mark.parametrize(
    ("settings", "path", "cure"),
    [pytest.param(*case[1:], id=case[0]) for case in FIELDS + RELATIONS],
)
def test_a_bad_value_is_named_with_its_cure(settings: dict[str, Any], path: str, cure: str) -> None:
    problems = _refused(settings)

    assert [found for found, _ in problems] == [path]
    assert cure in problems[0][1]


@pytest.mark.parametrize(
    "host",
    [
        *("a\nb", "a;b", "a{b", "a}b", "a b", 'a"b', "a'b", "a$b", "a\\b", "a#b", "a\0b", "a\n"),
        *("kät", "", "a" * 300, "a" * 64, "10.1", "1", "1.2.3.4.", "256.1.1.1", "-a", "a-", "a..b"),
        *("http://kato", "kato:8000", "[::1]", "fe80::1%eth0", "unix:/run/kato.sock", "/kato"),
    ],
)
def test_a_host_is_a_name_or_an_address_and_nothing_else(host: str) -> None:
    problems = _refused(_server(host=host))

    assert [path for path, _ in problems] == ["pool.servers[0].host"]
    assert "host name" in problems[0][1]


@pytest.mark.parametrize("host", ["a{b", "a}b", "{name}"])
def test_a_message_shows_braces_as_they_were_written(host: str) -> None:
    [(_, message)] = _refused(_server(host=host))

    assert f"(got '{host}')" in message


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("kato-0", "kato-0"),
        ("kato_0.kato.svc.cluster.local.", "kato_0.kato.svc.cluster.local."),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("1a", "1a"),
        ("a" * 63, "a" * 63),
    ],
)
def test_names_and_addresses_are_hosts(host: str, kept: str) -> None:
    assert Balancer.of(_server(host=host)).pool.servers[0].host == kept


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"keep_alive": {"idle": 4.99}}, id="idle just below KATO's"),
        pytest.param(
            {"process": {"workers": 2}, "affinity": "NONE"}, id="workers without affinity"
        ),
        pytest.param({"limits": {"requests": 313}}, id="the whole budget"),
        pytest.param({"process": {"connection_limit": 124}}, id="one connection left"),
        pytest.param({"retry": {"window": 3}}, id="window that just covers the tries"),
        pytest.param({"learned": {"timeout": 3600}}, id="table as long as a session"),
        pytest.param({"cookie": {}, "affinity": "COOKIE"}, id="cookie with its affinity"),
        pytest.param({"pool": {"discovery": {"name": "kato.local"}}}, id="discovery alone"),
        pytest.param({"affinity": "NONE", "balancing": "LEAST_CONNECTIONS"}, id="guide's strategy"),
    ],
)
def test_values_at_the_edge_are_taken(settings: dict[str, Any]) -> None:
    assert isinstance(Balancer.of({**_pool(SERVER), **settings}), Balancer)


def test_every_bad_field_is_reported_at_once_in_the_fields_order() -> None:
    paths = [
        path
        for path, _ in _refused(
            {
                "extra": 1,
                "timeouts": {"read": -1},
                "affinity": "sticky",
                "pool": {"servers": [{**SERVER, "port": 0}, {"name": "B", "host": "x y"}]},
            }
        )
    ]

    assert paths == [
        "pool.servers[0].port",
        "pool.servers[1].name",
        "pool.servers[1].host",
        "affinity",
        "timeouts.read",
        "extra",
    ]


def test_every_broken_relation_is_reported_at_once() -> None:
    paths = [
        path
        for path, _ in _refused(
            {
                "process": {"workers": 2},
                "keep_alive": {"idle": 9},
                "limits": {"requests": 1000},
                "retry": {"window": 1},
                "learned": {"timeout": 1},
                "cookie": {},
                "listener": {"port": 8081},
            }
        )
    ]

    assert paths == [
        "process.workers",
        "keep_alive.idle",
        "limits.requests",
        "retry.window",
        "learned.timeout",
        "cookie",
        "listener.private_port",
    ]


def test_the_whole_text_lists_a_problem_a_line() -> None:
    with pytest.raises(InvalidInput) as caught:
        Balancer.of({"pool": {"servers": [{**SERVER, "port": 0}]}, "affinity": "sticky"})

    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["pool.servers[0].port", "affinity"]


def test_the_model_never_changes(make: Callable[..., Balancer]) -> None:
    balancer = make()

    with pytest.raises(ValueError, match="frozen"):
        balancer.affinity = "NONE"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="frozen"):
        balancer.limits.requests = 5


def test_equal_balancers_are_one_key(make: Callable[..., Balancer]) -> None:
    assert len({make(), make(), make(access_log=False)}) == 2


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "affinity": "NONE",
            "balancing": "LEAST_CONNECTIONS",
            "retry": {"window": 2.5, "tries": 2},
        },
        {"learned": {}, "resolver": {"address": "127.0.0.11"}, "private_paths": []},
        {"affinity": "COOKIE", "cookie": {"same_site": "strict", "max_age": 60}},
        {"tls": {"certificate": "/tls/c.pem", "key": "/tls/k.pem"}, "health": {"active": {}}},
    ],
)
def test_a_model_survives_json(make: Callable[..., Balancer], settings: dict[str, Any]) -> None:
    balancer = make(**settings)

    assert Balancer.model_validate_json(balancer.model_dump_json()) == balancer
    assert Balancer.of(balancer.model_dump(mode="json")) == balancer
