"""Who gets new sessions while an instance is silent or dead, and after it has returned."""

import signal
import time
from collections import Counter

import pytest
from fault_stage import processes, redis

from kato_balancing.client import FailoverClient, Placement, Policy, WeightingSettings
from kato_balancing.client.instances import listed

PATIENCE = 20.0
"""Seconds after which a wait has failed; what is waited for takes a few."""
POLICY = Policy(weighting=WeightingSettings(slow_start=0.5))


@pytest.fixture(scope="module")
def running():
    with redis() as url, processes(url) as found:
        yield found


def wait_until(client, place, up):
    until = time.monotonic() + PATIENCE
    while client.states()[place].up is not up:
        assert time.monotonic() < until, f"instance {place} is not seen {'up' if up else 'down'}"
        time.sleep(0.05)


@pytest.mark.parametrize("way", ["dead", "silent"])
def test_away_and_back(running, way):
    urls = [one.url for one in running]
    asked: Counter[str] = Counter()
    with FailoverClient(urls, POLICY, hooks=(lambda e: asked.update([e.instance]),)) as client:
        ring = Placement(listed(urls))
        gone = client.states()[0].name
        sessions = [client.attach(client.create_session("n")) for _ in range(30)]
        for session in sessions:
            session.observe(["before"])
        own = [one for one in sessions if ring.owner(one.session_id) == gone]
        assert own

        if way == "dead":
            running[0].kill()
        else:
            running[0].signal(signal.SIGSTOP)
        wait_until(client, 0, up=False)

        asked.clear()
        born = [client.create_session("n") for _ in range(40)]
        assert gone not in {ring.owner(session) for session in born}
        for session in sessions:
            session.observe(["while it is away"])
        assert asked[gone] == 0

        if way == "dead":
            running[0].start()
        else:
            running[0].signal(signal.SIGCONT)
        wait_until(client, 0, up=True)

        # Up by the checks: at once all of its sessions are its own again.
        assert all(client.owner(one.session_id) == gone for one in own)
        for session in sessions:
            session.observe(["after"])
        assert asked[gone] >= len(own)
        time.sleep(POLICY.weighting.slow_start)
        until = time.monotonic() + PATIENCE
        while gone not in {ring.owner(client.create_session("n")) for _ in range(10)}:
            assert time.monotonic() < until, "no new session goes to the instance that returned"
        memory = [["before"], ["while it is away"], ["after"]]
        assert all(session.stm() == memory for session in sessions)
