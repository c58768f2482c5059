"""A canary on a real cluster: its share of the sessions, under load, with either balancer."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from canary_sessions import on_canary
from conftest import KATO, NEXT_KATO
from k8s_facts import Facts, balancer_urls, owners, sessions
from patient_balancer import patient_balancer
from pulumi_stack import PulumiStack
from steady_load import steady_load

SESSIONS = 2000
SHARES = (5, 25, 50, 100, 0)
LIMIT_SECONDS = 1200


def _on_canary(found: dict[str, str]) -> set[str]:
    return {session for session, pod in found.items() if pod.startswith("kato-canary-")}


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
def test_a_share_of_the_sessions_goes_there_and_back(
    proxy: str, new_stack: Callable[..., PulumiStack], facts: Facts
) -> None:
    stack = new_stack(
        f"canary-{proxy}",
        proxy=proxy,
        replicas=2,
        katoImage=KATO,
        balancer=patient_balancer(proxy),
    )
    canary = {"image": NEXT_KATO, "replicas": 2}
    stack.configure(canary={**canary, "share": 0})
    stack.up()
    namespace = stack.outputs()["namespace"]
    url, cluster = facts.url(namespace), facts.cluster(namespace)
    ids = sessions(url, SESSIONS)
    before = owners(url, ids)
    assert _on_canary(before) == set()
    taken: dict[int, set[str]] = {}
    with steady_load(url, max_seconds=LIMIT_SECONDS) as load:
        for share in SHARES:
            load.mark(f"{share} %")
            stack.configure(canary={**canary, "share": share})
            stack.up()
            cluster.wait_updated()
            # The Service may reach a balancer of the share before while it leaves.
            taken[share] = _on_canary(owners(balancer_urls(cluster)[0], ids))
        cluster.wait_settled()
    after = owners(url, ids)

    assert load.report().failures == ()
    assert (load.lost().lost, load.lost().doubled) == ((), ())
    for share in SHARES:
        assert taken[share] == on_canary(proxy, ids, share=share), share
    rising = [taken[share] for share in SHARES[:-1]]
    assert all(smaller <= larger for smaller, larger in pairwise(rising))
    assert after == before
