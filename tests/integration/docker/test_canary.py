"""A canary on real Docker: its share of the sessions, under load, with either balancer."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import httpx
import pytest
from canary_sessions import on_canary
from patient_balancer import patient_balancer
from pulumi_stack import PulumiStack, must
from steady_load import steady_load

from kato_balancing.headers import (
    REVEAL_REQUEST_HEADER,
    REVEAL_REQUEST_VALUE,
    REVEAL_RESPONSE_HEADER,
)

KATO, NEXT_KATO = "kato-lb/kato-stand-in:6.3.0", "kato-lb/kato-stand-in:6.3.1"
SESSIONS, THREADS = 2000, 8
SHARES = (5, 25, 50, 100, 0)
LIMIT_SECONDS = 1200
Item = TypeVar("Item")


def _asked(
    url: str, items: Sequence[Item], ask: Callable[[httpx.Client, Item], httpx.Response]
) -> dict[Item, httpx.Response]:
    """The answer for each item. Each thread has a client of its own: in a shared one, a thread
    that tidies the pool may close the connection that another has just been given."""

    def part(first: int) -> list[tuple[Item, httpx.Response]]:
        with httpx.Client(base_url=url, timeout=20) as client:
            return [(one, ask(client, one)) for one in items[first::THREADS]]

    with ThreadPoolExecutor(THREADS) as pool:
        found = dict(pair for pairs in pool.map(part, range(THREADS)) for pair in pairs)
    assert {answer.status_code for answer in found.values()} == {200}
    return found


def _new_sessions(url: str) -> list[str]:
    nodes = [f"n{number}" for number in range(SESSIONS)]
    answers = _asked(url, nodes, lambda c, node: c.post("/sessions", json={"node_id": node}))
    return [str(answer.json()["session_id"]) for answer in answers.values()]


def _owners(url: str, ids: list[str]) -> dict[str, str]:
    """Session → the server that the balancer names."""
    headers = {REVEAL_REQUEST_HEADER: REVEAL_REQUEST_VALUE}
    answers = _asked(url, ids, lambda c, one: c.get(f"/sessions/{one}/stm", headers=headers))
    return {one: answer.headers[REVEAL_RESPONSE_HEADER] for one, answer in answers.items()}


def _addresses(prefix: str) -> set[str]:
    """How balancers name the replicas of a backend: HAProxy by name, nginx by address."""
    names = must(["docker", "ps", "--format", "{{.Names}}"]).split()
    found: set[str] = set()
    for name in names:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.Aliases}}{{end}}"
        said = must(["docker", "inspect", "--format", form, name])
        address, _, aliases = said.strip().partition(" ")
        for alias in aliases.strip("[]").split():
            if alias.rpartition("-")[0] == prefix and alias.rpartition("-")[2].isdigit():
                found |= {f"{address}:8000", alias}
    return found


def _on_canary(owners: Mapping[str, str]) -> set[str]:
    canary = _addresses("kato-canary")
    assert canary
    return {session for session, server in owners.items() if server in canary}


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
def test_a_share_of_the_sessions_goes_there_and_back(
    proxy: str, new_stack: Callable[..., PulumiStack]
) -> None:
    must(["docker", "tag", KATO, NEXT_KATO])
    stack = new_stack(f"canary-{proxy}", proxy=proxy, balancer=patient_balancer(proxy))
    canary = {"image": NEXT_KATO, "replicas": 2}
    stack.configure(canary={**canary, "share": 0})
    stack.up()
    url = stack.outputs()["url"]
    ids = _new_sessions(url)
    before = _owners(url, ids)
    assert _on_canary(before) == set()
    taken: dict[int, set[str]] = {}
    with steady_load(url, max_seconds=LIMIT_SECONDS) as load:
        for share in SHARES:
            load.mark(f"{share} %")
            stack.configure(canary={**canary, "share": share})
            stack.up()
            taken[share] = _on_canary(_owners(url, ids))
    after = _owners(url, ids)

    assert load.report().failures == ()
    assert (load.lost().lost, load.lost().doubled) == ((), ())
    for share in SHARES:
        assert taken[share] == on_canary(proxy, ids, share=share), share
    rising = [taken[share] for share in SHARES[:-1]]
    assert all(smaller <= larger for smaller, larger in pairwise(rising))
    # Back at the stable version, every session is where it was.
    assert after == before


def test_new_sessions_only_moves_no_live_session(new_stack: Callable[..., PulumiStack]) -> None:
    must(["docker", "tag", KATO, NEXT_KATO])
    stack = new_stack("newborn", proxy="haproxy", balancer=patient_balancer("haproxy"))
    stack.up()
    url = stack.outputs()["url"]
    live = _new_sessions(url)
    before = _owners(url, live)
    # From the birth of the youngest of them on.
    since = max(int(session.rpartition("-")[2]) for session in live) + 1
    canary = {"image": NEXT_KATO, "replicas": 2, "mode": "NEW_SESSIONS"}

    stack.configure(canary={**canary, "share": 25, "since": since})
    stack.up()
    born = _new_sessions(url)
    owners = _owners(url, born)
    later = max(int(session.rpartition("-")[2]) for session in born) + 1
    earlier = [{"since": since, "share": 25}]
    stack.configure(canary={**canary, "share": 50, "since": later, "earlier": earlier})
    stack.up()

    assert _owners(url, live) == before
    newborn = {"mode": "NEW_SESSIONS", "since": since, "share": 25}
    assert _on_canary(owners) == on_canary("haproxy", born, **newborn)
    assert _owners(url, born) == owners
