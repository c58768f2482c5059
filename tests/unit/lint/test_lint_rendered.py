"""What this project renders has no findings: what a setting asks for is named in the file."""

from pathlib import Path

import pytest

from kato_balancing import haproxy, nginx
from kato_balancing.lint import lint
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.rule import changed
from kato_balancing.model import Balancer

UNIT = Path(__file__).parents[1]
GOLDEN = sorted([*UNIT.glob("balancing/golden/*.conf"), *UNIT.glob("haproxy/golden/*.cfg")])


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.name)
def test_a_golden_file_has_no_finding(file: Path) -> None:
    assert lint(file.read_text()) == []


SETTINGS = {
    "plain": {},
    "no affinity": {"affinity": "NONE"},
    "by address": {"affinity": "CLIENT_IP"},
    "nothing private": {"private_paths": []},
    "busy": {"limits": {"workers": 4, "balancers": 2}, "keep_alive": {"connections": 8}},
    "fewer tries": {"retry": {"tries": 1, "window": 2}},
    "no websockets": {"limits": {"websockets": 0}},
    "least connections": {"balancing": "LEAST_CONNECTIONS"},
    "another prefix of private paths": {"private_paths": ["/status", "/x"]},
}
POOLS = {
    "weights": [
        {"name": "kato-0", "host": "192.0.2.10", "weight": 3},
        {"name": "kato-1", "host": "192.0.2.11"},
    ],
    "names": [{"name": f"kato-{i}", "host": f"kato-{i}.example.com"} for i in range(3)],
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


def test_what_was_not_chosen_is_still_found() -> None:
    servers = POOLS["one"]
    chosen = nginx.render(
        Balancer.of({"pool": {"servers": servers}, "affinity": "NONE"}), (1, 30, 4)
    )
    silent = "\n".join(line for line in chosen.splitlines() if "kato-lb lint" not in line)

    assert [finding.rule for finding in lint(silent)] == ["nginx-no-session-affinity"]


_PANIC = "    use_backend panic if CONDITION\n    default_backend kato\n"


def _with_panic(condition: str) -> str:
    backend = HAPROXY_BASE[HAPROXY_BASE.index("backend kato\n") :]
    apart = backend.replace("backend kato", "backend panic")
    apart = apart.replace("check inter 1s fastinter 200ms rise 2 fall 2 ", "")
    apart = "".join(line for line in apart.splitlines(True) if "http" not in line)
    routed = _PANIC.replace("CONDITION", condition)
    return changed(HAPROXY_BASE, "    default_backend kato\n", routed) + "\n" + apart


def test_a_backend_for_when_no_server_is_left_needs_no_probes() -> None:
    assert lint(_with_panic("{ nbsrv(kato) eq 0 }")) == []


@pytest.mark.parametrize(
    "condition",
    ["{ nbsrv(kato) lt 2 }", "{ path /a }", "{ nbsrv(kato) eq 0 } or { path /a }"],
)
def test_any_other_backend_needs_them(condition: str) -> None:
    assert "haproxy-no-check" in {found.rule for found in lint(_with_panic(condition))}
