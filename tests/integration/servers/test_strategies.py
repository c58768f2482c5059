"""Every strategy on every supported server: rendered, accepted, seen to work; written down in
``docs/strategies.md``."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from balancer_containers import balancer, container, wait_for_port
from conftest import render
from strategy_stage import Stage, Strategy, make_certificate
from strategy_table import STRATEGIES, TARGETS, page

from dev.free_ports import free_ports
from kato_balancing.targets import UnsupportedFeature

PAGE = Path(__file__).resolve().parents[3] / "docs" / "strategies.md"
CHECKS = {
    "nginx": "nginx -e /dev/stderr -t -c /c/$n.cfg 2>&1",
    "haproxy": "haproxy -c -dW -f /c/$n.cfg 2>&1",
}
WORDS_OF_WORRY = ("warn", "alert", "emerg", "notice")
NAMES = [*(f"kato-{i}" for i in range(4)), "canary", "spare-0", "spare-1"]

Cell = Callable[[Strategy, str], str]


@pytest.fixture(scope="module")
def answering(images, tmp_path_factory) -> Iterator[dict[str, int]]:
    """Servers on 127.0.0.1 that answer with their name and, as KATO does, with the session."""
    ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
    folder = tmp_path_factory.mktemp("answering")
    text = _answering_text(ports)
    with balancer(images["nginx:1.30"], text, folder, ports[NAMES[0]]) as running:
        wait_for_port(ports[NAMES[-1]], running)
        yield ports


@pytest.fixture(scope="module")
def verdicts(images, tmp_path_factory) -> dict[tuple[str, str], str]:
    """Strategy and target → what the program says of the rendered file, or the refusal."""
    found = {}
    addresses = {name: (f"192.0.2.{i + 1}", 8000) for i, name in enumerate(NAMES)}
    for target in TARGETS:
        folder = tmp_path_factory.mktemp("files")
        make_certificate(folder)
        names = []
        for strategy in STRATEGIES:
            try:
                text = render(target, strategy.model(addresses))
            except UnsupportedFeature as refusal:
                found[strategy.name, target] = f"refused: {refusal}"
                continue
            (folder / f"{len(names)}.cfg").write_text(text)
            names.append(strategy.name)
        check = CHECKS[target.partition(":")[0]]
        script = f'for n in $(seq 0 {len(names) - 1}); do {check}; echo "status $?"; echo =; done'
        with container(images[target], ["sleep", "600"], folder, network="none") as checker:
            said = checker.shell(f"id -u; {script}")
        user, _, rest = said.partition("\n")
        assert user == "10001"
        parts = rest.split("=\n")[:-1]
        assert len(parts) == len(names), said
        found |= {(name, target): part for name, part in zip(names, parts, strict=True)}
    return found


@pytest.fixture(scope="module")
def cell(images, answering, verdicts, tmp_path_factory) -> Cell:
    """Tries a strategy on a target, once: what is then said of it in the table."""
    seen: dict[tuple[str, str], str] = {}

    def tried(strategy: Strategy, target: str) -> str:
        said = verdicts[strategy.name, target]
        if said.startswith("refused: "):
            return said
        assert said.endswith("status 0\n"), said
        assert not any(word in said.lower() for word in WORDS_OF_WORRY), said
        folder = tmp_path_factory.mktemp("stage")
        with Stage(strategy, target, images, answering, folder) as stage:
            return f"rendered, accepted; {strategy.behaviour(stage)}"

    def remembered(strategy: Strategy, target: str) -> str:
        key = (strategy.name, target)
        if key not in seen:
            seen[key] = tried(strategy, target)
        return seen[key]

    return remembered


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name.replace(" ", "-").lower())
def test_a_strategy_does_what_it_says_or_is_refused(strategy, target, cell):
    assert cell(strategy, target)


def test_the_page_says_what_was_seen(cell):
    found = page({(s.name, target): cell(s, target) for s in STRATEGIES for target in TARGETS})
    if os.environ.get("KATO_REWRITE_DOCS"):
        PAGE.write_text(found)
    assert PAGE.exists(), "docs/strategies.md is missing; write it with KATO_REWRITE_DOCS=1"
    assert PAGE.read_text() == found, "docs/strategies.md is stale; use KATO_REWRITE_DOCS=1"


def _answering_text(ports: dict[str, int]) -> str:
    servers = "".join(
        f'server {{ listen {port}; location / {{ return 200 "{name}"; }} }}\n'
        for name, port in ports.items()
    )
    temporary = "".join(
        f"{kind}_temp_path /tmp/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        "worker_processes 1; pid /tmp/servers.pid; error_log /dev/stderr warn;\n"
        "events { worker_connections 4096; }\n"
        "http { access_log off; keepalive_requests 100000000;\n"
        'map $uri $sid { "~^/sessions/(?<id>[A-Za-z0-9_-]+)" $id; default ""; }\n'
        "add_header X-Session-ID $sid always;\n"
        f"{temporary}{servers}}}\n"
    )
