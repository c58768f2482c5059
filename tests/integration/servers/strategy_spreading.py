"""Strategies that spread requests: what the real balancers do with them."""

import http.client
import json
from collections import Counter

from balancer_containers import ask
from strategy_stage import Stage, bodies, ports_of

NAMES = ("kato-0", "kato-1", "kato-2")
ADDRESSES = range(1, 249)


def thirds(stage: Stage) -> str:
    """Every server has a third."""
    model = stage.model()
    stage.start(model)
    found = Counter(bodies(model.listener.port, ["/x"] * 3000))
    assert all(abs(found[name] / 30 - 100 / 3) <= 1 for name in NAMES), found
    return "3000 requests: a third each, within 1 point"


def weights(stage: Stage) -> str:
    """The servers' shares are as their weights."""
    model = stage.model()
    stage.start(model)
    found = Counter(bodies(model.listener.port, ["/x"] * 6000))
    assert all(
        abs(found[name] / 60 - wanted) <= 3
        for name, wanted in zip(NAMES, (50, 100 / 3, 50 / 3), strict=True)
    ), found
    return "6000 requests: 3/2/1 within 3 points"


def least_connections(stage: Stage) -> str:
    """A server that is slow gets less."""
    servers = stage.echo()
    servers.servers["kato-0"].delay = 0.2
    for name in NAMES[1:]:
        servers.servers[name].delay = 0.005
    model = stage.model(ports_of(servers))
    stage.start(model)
    answers = ask(model.listener.port, ["/x"] * 200, connections=12)
    assert {a.status for a in answers} == {200}
    slow = servers.counts()["kato-0"] / 2
    assert slow <= 20, servers.counts()
    return "a server 40 times slower gets at most 20 % instead of 33 %"


def client_addresses(stage: Stage) -> str:
    """Every address of a /24 is told apart, and stays."""
    model = stage.model()
    stage.start(model)

    def servers_of(number: int) -> set[str]:
        client = http.client.HTTPConnection(
            "127.0.0.1", model.listener.port, timeout=5,
            source_address=(f"127.0.0.{number}", 0),
        )  # fmt: skip
        return {_body(client, f"/{n}") for n in range(3)}

    _apart([servers_of(number) for number in ADDRESSES])
    return "248 addresses of one /24: all 3 servers, each address stays"


def forwarded_addresses(stage: Stage) -> str:
    """The client's address counts, not the proxy's; what the client itself wrote does not."""
    model = stage.model()
    stage.start(model)

    def servers_of(number: int) -> set[str]:
        client = http.client.HTTPConnection("127.0.0.1", model.listener.port, timeout=5)
        forms = (f"192.0.2.{number}", f"203.0.113.{number % 7}, 192.0.2.{number}")
        return {_body(client, "/x", {"X-Forwarded-For": form}) for form in forms}

    _apart([servers_of(number) for number in ADDRESSES])
    return "248 forwarded addresses of one /24: all 3 servers, each stays; a forged one is ignored"


def _apart(found: list[set[str]]) -> None:
    assert all(len(names) == 1 for names in found), "an address does not stay on its server"
    counts = Counter(name for names in found for name in names)
    assert set(counts) == set(NAMES), counts
    assert min(counts.values()) >= 40, counts


def _body(
    client: http.client.HTTPConnection, path: str, headers: dict[str, str] | None = None
) -> str:
    client.request("GET", path, headers=headers or {})
    answer = client.getresponse()
    assert answer.status == 200
    return answer.read().decode()


def server_of(text: str) -> str:
    """The server that an echo comes from."""
    return str(json.loads(text)["server"])
