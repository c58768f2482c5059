"""The predicted owner is the server that answers, for every id, on the real binaries."""

import time
from typing import Any

import pytest
from balancer_containers import (
    address_of,
    ask,
    balancer,
    named_servers_text,
    network,
    wait_for_port,
)
from conftest import IMAGES, render

from dev.free_ports import free_ports
from kato_balancing.model import Balancer
from kato_balancing.placement import ring_of
from kato_balancing.placement.sample import session_ids

ALL, FEWER = 20_000, 3_000
POOLS: dict[str, list[dict[str, Any]]] = {
    "3": [{"name": f"kato-{i}"} for i in range(3)],
    "4 weighted": [{"name": f"kato-{i}", "weight": (3, 2, 1, 1)[i]} for i in range(4)],
    "10": [{"name": f"kato-{i}"} for i in reversed(range(10))],
    "3, one heavy": [{"name": f"kato-{i}", "weight": (100, 40, 1)[i]} for i in range(3)],
    "5, one draining, one backup": [
        {"name": "kato-0"},
        {"name": "kato-1", "draining": True},
        {"name": "kato-2"},
        {"name": "kato-3", "backup": True},
        {"name": "kato-4"},
    ],
}
CASES = [
    *((target, ALL, pool) for target in ("nginx:1.30", "haproxy:3.2") for pool in list(POOLS)[:3]),
    *((target, FEWER, "5, one draining, one backup") for target in IMAGES),
    *((target, FEWER, "4 weighted") for target in ("nginx:1.22", "haproxy:2.6")),
    *((target, FEWER, "3, one heavy") for target in ("nginx:1.30", "haproxy:3.2")),
]


def _model(pool: str, ports: dict[str, int], **settings: Any) -> Balancer:
    port, private_port = free_ports(2)
    listed = [{"host": "127.0.0.1", "port": ports[s["name"]], **s} for s in POOLS[pool]]
    return Balancer.of(
        {
            "pool": {"servers": listed},
            "listener": {"port": port, "private_port": private_port},
            "access_log": False,
            **settings,
        }
    )


@pytest.mark.parametrize(("target", "count", "pool"), CASES)
def test_every_session_is_where_it_is_said_to_be(target, count, pool, servers, run):
    model = _model(pool, servers)
    ids = list(session_ids(count))
    ring = ring_of(model, target.partition(":")[0])

    run(target, model)
    answers = ask(model.listener.port, [f"/sessions/{i}/exists" for i in ids])

    wrong = sum(a.body != ring.owner(i) for a, i in zip(answers, ids, strict=True))
    assert wrong == 0, f"{wrong} of {count} sessions are elsewhere"


BIRTHS = sorted(int(session.rpartition("-")[2]) for session in session_ids(FEWER))
NEW_SESSIONS = {
    "mode": "NEW_SESSIONS",
    "since": BIRTHS[2 * FEWER // 3],
    "share": 60,
    "earlier": [{"since": BIRTHS[FEWER // 3], "share": 12.34}],
}


@pytest.mark.parametrize("canary", [{"share": 12.34}, {"share": 60}, NEW_SESSIONS])
@pytest.mark.parametrize("target", IMAGES)
def test_so_is_every_session_beside_a_canary(target, canary, servers, run):
    new = [{"name": n, "host": "127.0.0.1", "port": servers[n]} for n in ("kato-3", "kato-4")]
    model = _model("3", servers, canary={"pool": {"servers": new}, **canary})
    ids = list(session_ids(FEWER))
    ring = ring_of(model, target.partition(":")[0])

    run(target, model)
    answers = ask(model.listener.port, [f"/sessions/{i}/exists" for i in ids])

    assert {a.body for a in answers} == set(ring.servers)
    wrong = sum(a.body != ring.owner(i) for a, i in zip(answers, ids, strict=True))
    assert wrong == 0, f"{wrong} of {FEWER} sessions are elsewhere"


@pytest.mark.parametrize("target", ["nginx:1.30", "haproxy:3.2"])
def test_names_that_dns_knows_are_placed_by_name(target, images, tmp_path):
    ports = {f"kato-{i}": 9000 + i for i in range(4)}
    listed = [{"name": name, "host": name, "port": port} for name, port in ports.items()]
    model = Balancer.of({"pool": {"servers": listed}, "resolver": {"address": "127.0.0.11"}})
    ring = ring_of(model, target.partition(":")[0])
    ids = list(session_ids(FEWER, seed=2))

    with network() as inside:
        aliases = [word for name in ports for word in ("--network-alias", name)]
        answering = balancer(
            images["nginx:1.30"], named_servers_text(ports), tmp_path / "servers", 9000,
            *aliases, network=inside,
        )  # fmt: skip
        asking = balancer(
            images[target], render(target, model), tmp_path / "balancer", 8080, network=inside
        )
        with answering, asking as running:
            host = address_of(running)
            wait_for_port(8080, running, host=host)
            wait_for_answer(host, len(ports))
            answers = ask(8080, [f"/sessions/{i}/exists" for i in ids], host=host)

    wrong = sum(a.body != ring.owner(i) for a, i in zip(answers, ids, strict=True))
    assert wrong == 0, f"{wrong} of {FEWER} sessions are elsewhere"


def wait_for_answer(host: str, servers: int) -> None:
    """Until every server's name was looked up: requests without a session reach them all."""
    for _ in range(50):
        answers = ask(8080, ["/x"] * 40, host=host)
        if len({a.body for a in answers if a.status == 200}) == servers:
            return
        time.sleep(0.1)
    raise AssertionError("a server's name was not looked up")
