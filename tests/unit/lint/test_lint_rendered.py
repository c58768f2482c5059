"""What this project renders has no findings, but for what its settings ask for in so many words."""

from pathlib import Path

import pytest

from kato_balancing import haproxy, nginx
from kato_balancing.lint import Finding, lint
from kato_balancing.model import Balancer

UNIT = Path(__file__).parents[1]
GOLDEN = sorted([*UNIT.glob("balancing/golden/*.conf"), *UNIT.glob("haproxy/golden/*.cfg")])

ASKED_FOR = {
    "no-session-affinity": "affinity NONE",
    "hash-by-client-address": "affinity CLIENT_IP",
    "weights-unequal": "weights that differ",
    "status-open": "no private paths",
}
"""Findings that follow from a setting, by the setting."""


def unasked(text: str) -> list[Finding]:
    """Findings that no setting explains."""
    return [finding for finding in lint(text) if finding.rule.partition("-")[2] not in ASKED_FOR]


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.name)
def test_a_golden_file_has_no_finding_that_nobody_asked_for(file: Path) -> None:
    assert unasked(file.read_text()) == []


@pytest.mark.parametrize(
    "file",
    [file for file in GOLDEN if file.name.startswith(("session", "learned", "canary", "active"))
     and "addresses" not in file.name],
    ids=lambda file: file.name,
)  # fmt: skip
def test_a_golden_file_of_the_session_hash_has_none_at_all(file: Path) -> None:
    assert lint(file.read_text()) == []


SETTINGS = {
    "plain": {},
    "busy": {"limits": {"workers": 4, "balancers": 2}, "keep_alive": {"connections": 8}},
    "fewer tries": {"retry": {"tries": 1, "window": 2}},
    "no websockets": {"limits": {"websockets": 0}},
    "least connections": {"balancing": "LEAST_CONNECTIONS"},
    "another prefix of private paths": {"private_paths": ["/status", "/x"]},
}
POOLS = {
    "one": [{"name": "kato-0", "host": "192.0.2.10"}, {"name": "kato-1", "host": "192.0.2.11"}],
    "backup": [
        {"name": "kato-0", "host": "192.0.2.10"},
        {"name": "kato-1", "host": "192.0.2.11"},
        {"name": "spare", "host": "192.0.2.12", "backup": True},
    ],
    "draining": [
        {"name": "kato-0", "host": "192.0.2.10"},
        {"name": "kato-1", "host": "192.0.2.11"},
        {"name": "kato-2", "host": "192.0.2.12", "draining": True},
    ],
}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("version", [(1, 22, 1), (1, 30, 4)], ids=["1.22", "1.30"])
def test_a_rendered_nginx_file_has_none(settings, pool, version) -> None:
    model = Balancer.of({"pool": {"servers": POOLS[pool]}, **SETTINGS[settings]})

    assert lint(nginx.render(model, version)) == []


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("version", [(2, 6, 12), (3, 2, 26)], ids=["2.6", "3.2"])
def test_a_rendered_haproxy_file_has_none(settings, pool, version) -> None:
    model = Balancer.of({"pool": {"servers": POOLS[pool]}, **SETTINGS[settings]})

    assert lint(haproxy.render(model, version)) == []
