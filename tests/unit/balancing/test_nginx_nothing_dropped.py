"""No setting is dropped silently: changing any leaf changes the file, or is refused."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kato_balancing import nginx
from kato_balancing.model import Balancer
from kato_balancing.problems import InvalidInput
from kato_balancing.targets import UnsupportedFeature, Version

WITHOUT_EFFECT = {
    "pool.servers[0].name": "nginx knows a server by its address alone",
    "process.keep_alive": "KATO's own number: keep_alive.idle must stay below it",
    "process.graceful_shutdown": "KATO's own number: the replica's stop time covers it",
    "process.session_ttl": "KATO's own number: only the learned table depends on it",
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
    "health.active": [{}],
    "limits.requests": [1, 100],
    "drain.keep_alive": [5, 20],
    "keep_alive.connections": [5, 20],
    "tls": [{"certificate": "/c.pem", "key": "/k.pem"}],
    "listener.trusted_proxies": [["10.0.0.0/8"]],
    "resolver": [{"address": "127.0.0.11"}],
    "resolver.address": ["192.0.2.53"],
    "resolver.forget": [3],
    "region": [{"name": "eu", "others": {"us": "https://us.example.com"}}],
    "private_paths": [[], ["/other"]],
    "log_socket": ["/run/kato-log/socket"],
}


def _base(version: Version) -> dict[str, Any]:
    servers = [{"name": f"kato-{i}", "host": f"kato-{i}"} for i in range(3)]
    resolver = {"resolver": {"address": "127.0.0.11"}} if version >= (1, 27, 3) else {}
    return Balancer.of({"pool": {"servers": servers}, **resolver}).model_dump(mode="json")


Step = str | int


def _leaves(value: Any, steps: tuple[Step, ...] = ()) -> Iterator[tuple[str, tuple[Step, ...]]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*steps, key))
    elif steps[-1] == "servers":
        yield from _leaves(value[0], (*steps, 0))
    else:
        path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps)
        yield path.removeprefix("."), steps


def _others(path: str, value: Any) -> list[Any]:
    if path in SAMPLES:
        return SAMPLES[path]
    if isinstance(value, bool):
        return [not value]
    assert isinstance(value, int | float), f"{path} is new: give it other values in SAMPLES"
    return [value + 1, value * 2]


def _changed(base: dict[str, Any], steps: tuple[Step, ...], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(base)
    place: Any = result
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = value
    return result


CASES = [
    pytest.param(version, steps, id=f"{path}-{version[0]}.{version[1]}")
    for version in ((1, 22, 0), (1, 30, 4))
    for path, steps in _leaves(_base(version))
    if path not in WITHOUT_EFFECT
]


def _value(base: dict[str, Any], steps: tuple[Step, ...]) -> Any:
    place: Any = base
    for step in steps:
        place = place[step]
    return place


def _render_or_none(settings: dict[str, Any], version: Version) -> str | None:
    try:
        return nginx.render(Balancer.of(settings), version)
    except (InvalidInput, UnsupportedFeature):
        return None


@pytest.mark.parametrize(("version", "steps"), CASES)
def test_a_changed_setting_changes_the_file_or_is_refused(
    version: Version, steps: tuple[Step, ...]
) -> None:
    base = _base(version)
    before = _render_or_none(base, version)
    path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).removeprefix(".")

    after = [
        _render_or_none(_changed(base, steps, other), version)
        for other in _others(path, _value(base, steps))
    ]

    assert before is not None
    assert before not in after


@pytest.mark.parametrize("path", WITHOUT_EFFECT)
def test_the_list_of_settings_without_effect_is_true(path: str) -> None:
    base = _base((1, 30, 4))
    steps = dict(_leaves(base))[path]
    before = _render_or_none(base, (1, 30, 4))

    after = [
        _render_or_none(_changed(base, steps, other), (1, 30, 4))
        for other in _others(path, _value(base, steps))
    ]

    assert before in after


def test_the_walk_reaches_every_group(make: Callable[..., Balancer]) -> None:
    reached = {steps[0] for _, steps in _leaves(_base((1, 30, 4)))}

    assert reached == set(type(make()).model_fields)
    assert len(CASES) > 70
