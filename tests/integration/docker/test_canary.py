"""A canary on real Docker: its share of the sessions, under load, with either balancer."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import httpx
import pytest
from pulumi_stack import PulumiStack, must
from steady_load import steady_load

from kato_balancing.headers import (
    REVEAL_REQUEST_HEADER,
    REVEAL_REQUEST_VALUE,
    REVEAL_RESPONSE_HEADER,
)

KATO, NEXT_KATO = "kato-lb/kato-stand-in:6.3.0", "kato-lb/kato-stand-in:6.3.1"
SESSIONS = 2000
SHARES = (5, 25, 50, 100, 0)
LIMIT_SECONDS = 1200


def _new_sessions(url: str) -> list[str]:
    with httpx.Client(base_url=url, timeout=20) as client, ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda i: client.post("/sessions", json={"node_id": f"n{i}"}), range(SESSIONS)
        )
        return [str(answer.json()["session_id"]) for answer in answers]


def _owners(url: str, ids: list[str]) -> dict[str, str]:
    """Session → the server that the balancer names."""
    headers = {REVEAL_REQUEST_HEADER: REVEAL_REQUEST_VALUE}
    with (
        httpx.Client(base_url=url, timeout=20, headers=headers) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        answers = list(pool.map(lambda one: client.get(f"/sessions/{one}/stm"), ids))
    assert {answer.status_code for answer in answers} == {200}
    found = [answer.headers[REVEAL_RESPONSE_HEADER] for answer in answers]
    return dict(zip(ids, found, strict=True))


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
    stack = new_stack(f"canary-{proxy}", proxy=proxy)
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
        assert abs(100 * len(taken[share]) / SESSIONS - share) <= 3, share
    rising = [taken[share] for share in SHARES[:-1]]
    assert all(smaller <= larger for smaller, larger in pairwise(rising))
    # Back at the stable version, every session is where it was.
    assert after == before


def test_new_sessions_only_moves_no_live_session(new_stack: Callable[..., PulumiStack]) -> None:
    must(["docker", "tag", KATO, NEXT_KATO])
    stack = new_stack("newborn", proxy="haproxy")
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
    assert abs(100 * len(_on_canary(owners)) / SESSIONS - 25) <= 3
    assert _owners(url, born) == owners
