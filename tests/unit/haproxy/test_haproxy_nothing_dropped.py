"""No setting is dropped silently: changing any leaf changes the file, or is refused."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from sample_haproxy import DNS, NAMED, VERSIONS, settings

from kato_balancing import haproxy
from kato_balancing.model import Balancer
from kato_balancing.problems import InvalidInput
from kato_balancing.targets import UnsupportedFeature, Version

WITHOUT_EFFECT = {
    "process.keep_alive": "KATO's own number: keep_alive.idle must stay below it",
    "process.graceful_shutdown": "KATO's own number: the replica's stop time covers it",
    "process.session_ttl": "KATO's own number: only the learned table depends on it",
    "drain.keep_alive": "idle clients are kept for all of drain.seconds, which covers it",
}

SAMPLES: dict[str, list[Any]] = {
    "pool.servers[0].name": ["other"],
    "pool.servers[0].host": ["other", "192.0.2.9"],
    "pool.discovery": [{"name": "kato.local"}],
    "affinity": ["NONE", "CLIENT_IP", "COOKIE"],
    "balancing": ["LEAST_CONNECTIONS"],
    "learned": [{}],
    "cookie": [{}],
    "canary": [{"pool": {"servers": [{"name": "c", "host": "c"}]}, "share": 5}],
    "health.active": [{}, {"interval": 2}],
    "limits.requests": [1, 100],
    "drain.keep_alive": [5],
    "keep_alive.connections": [5, 20],
    "tls": [{"certificate": "/c.pem", "key": "/k.pem"}],
    "listener.trusted_proxies": [["10.0.0.0/8"]],
    "resolver.address": ["192.0.2.53"],
    "resolver.forget": [3],
    "region": [{"name": "eu", "others": {"us": "https://us.example.com"}}],
    "private_paths": [[], ["/other"]],
    "log_socket": ["/run/kato-log/socket"],
}
BASES: dict[str, dict[str, Any]] = {
    "session": settings(NAMED, **DNS),
    "probed": settings(NAMED, **DNS, health={"active": {}}),
    "cookie": settings(NAMED, **DNS, affinity="COOKIE", cookie={"max_age": 60}),
    "canary": settings(
        NAMED,
        **DNS,
        canary={
            "pool": {"servers": [{"name": "c", "host": "c"}, {"name": "d", "host": "d"}]},
            "share": 5,
            "mode": "NEW_SESSIONS",
            "since": 1_800_000_000_000,
            "earlier": [{"since": 1_790_000_000_000, "share": 1}],
        },
    ),
    "learned": settings(NAMED, **DNS, learned={}),
    "discovery": {"pool": {"discovery": {"name": "kato.local"}}, **DNS},
    "tls": settings(NAMED, **DNS, tls={"certificate": "/c.pem", "key": "/k.pem"}),
}
MORE_SAMPLES: dict[str, list[Any]] = {
    "health.active.path": ["/x"],
    "cookie.name": ["other"],
    "cookie.same_site": ["none"],
    "canary.pool.servers[0].name": ["other"],
    "canary.pool.servers[0].host": ["other"],
    "canary.mode": ["ALL_SESSIONS"],
    "canary.earlier": [[]],
    "pool.discovery.name": ["other"],
    "pool.discovery.service": ["other"],
    "tls.certificate": ["/other.pem"],
    "tls.key": ["/other.pem"],
}
GROUPS = {
    "probed": "health.active", "cookie": "cookie", "canary": "canary", "learned": "learned",
    "discovery": "pool.discovery", "tls": "tls",
}  # fmt: skip

Step = str | int


def _leaves(value: Any, steps: tuple[Step, ...] = ()) -> Iterator[tuple[str, tuple[Step, ...]]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*steps, key))
    elif steps[-1] == "servers" and value:
        yield from _leaves(value[0], (*steps, 0))
    else:
        path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps)
        yield path.removeprefix("."), steps


def _others(path: str, value: Any) -> list[Any]:
    known = {**SAMPLES, **MORE_SAMPLES}
    if path in known:
        return known[path]
    if isinstance(value, bool):
        return [not value]
    assert isinstance(value, int | float), f"{path} is new: give it other values in SAMPLES"
    return [value + 1, value * 2]


def _plain(base: str) -> dict[str, Any]:
    data = Balancer.of(BASES[base]).model_dump(mode="json")
    if base == "session":
        data["pool"].pop("discovery")
        return {**data, "pool": {**data["pool"], "discovery": None}}
    return data


def _cases() -> Iterator[Any]:
    for base in BASES:
        for version in VERSIONS:
            if _render_or_none(_plain(base), VERSIONS[version]) is None:
                continue
            for path, steps in _leaves(_plain(base)):
                if path in WITHOUT_EFFECT or not path.startswith(GROUPS.get(base, "")):
                    continue
                if path in ("canary.pool.discovery", "pool.servers"):
                    continue
                yield pytest.param(base, version, path, steps, id=f"{base}-{version}-{path}")


def _changed(data: dict[str, Any], steps: tuple[Step, ...], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(data)
    place: Any = result
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = value
    return result


def _value(data: dict[str, Any], steps: tuple[Step, ...]) -> Any:
    place: Any = data
    for step in steps:
        place = place[step]
    return place


def _render_or_none(data: dict[str, Any], version: Version) -> str | None:
    try:
        return haproxy.render(Balancer.of(data), version)
    except (InvalidInput, UnsupportedFeature):
        return None


CASES = list(_cases())


@pytest.mark.parametrize(("base", "version", "path", "steps"), CASES)
def test_a_changed_setting_changes_the_file_or_is_refused(base, version, path, steps):
    data = _plain(base)
    before = _render_or_none(data, VERSIONS[version])

    after = [
        _render_or_none(_changed(data, steps, other), VERSIONS[version])
        for other in _others(path, _value(data, steps))
    ]

    assert before is not None
    if path == "health.active" and base == "session":
        # None stands for the probes' defaults: HAProxy always probes.
        assert after[0] == before
        after = after[1:]
    assert before not in after


@pytest.mark.parametrize("path", WITHOUT_EFFECT)
def test_the_list_of_settings_without_effect_is_true(path):
    data = _plain("session")
    steps = dict(_leaves(data))[path]
    before = _render_or_none(data, VERSIONS["3.2"])

    others = _others(path, _value(data, steps))
    assert before in [
        _render_or_none(_changed(data, steps, other), VERSIONS["3.2"]) for other in others
    ]


def test_the_walk_reaches_every_group():
    reached = {steps[0] for _, steps in _leaves(_plain("session"))}

    assert reached == set(Balancer.model_fields)
    assert len(CASES) > 100
