"""Crashes, hangs, restarts, slow answers, resets after the work, bursts of 503: nothing that was
acknowledged is lost, nothing is there twice, and what could not be decided is said to be so."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fault_stage import Process, Trouble, processes, redis

from kato_balancing.verify.accounting import account

ROOT = Path(__file__).parents[3]
OPERATIONS = 25_000
"""For each of the two clients."""
NAIVE_OPERATIONS = 4_000
LIMIT = 420.0
"""Seconds that a client's calls may take in all; on two cores they take about 150."""


def run_clients(kinds: dict[str, int], running: list[Process], trouble: Trouble) -> dict[str, Any]:
    """Run a client of each kind while trouble is made; what each was told."""
    urls = [one.url for one in running]
    clients = {
        kind: subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fault_worker.py")), kind, str(count),
             *urls],
            cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
        )
        for kind, count in kinds.items()
    }  # fmt: skip
    trouble.start()
    try:
        told = {}
        until = time.monotonic() + LIMIT
        for kind, client in clients.items():
            out, _ = client.communicate(timeout=max(1.0, until - time.monotonic()))
            assert client.returncode == 0
            told[kind] = json.loads(out)
    finally:
        for client in clients.values():
            if client.poll() is None:
                client.kill()
                client.wait(10)
        trouble.finish()
    time.sleep(4)  # what comes late has come
    return told


def judged(told: dict[str, Any], url: str) -> dict[str, list[str]]:
    """What is wrong with the sessions of a client: lost, doubled, done although said undone."""
    wrong: dict[str, list[str]] = {"lost": [], "doubled": [], "done after all": []}
    with httpx.Client(base_url=url, timeout=20) as client:
        for one in told["sessions"]:
            stm = client.get(f"/sessions/{one['session']}/stm").raise_for_status().json()["stm"]
            stored = [token for event in stm for token in event]
            found = account(one["acknowledged"], one["unknown"] + one["undone"], stored)
            wrong["lost"] += found.lost
            wrong["doubled"] += found.doubled
            wrong["done after all"] += sorted(set(stored) & set(one["undone"]))
            assert not found.foreign
    return wrong


@pytest.fixture
def running():
    with redis() as url, processes(url) as found:
        yield found


def test_nothing_is_lost_or_doubled(running):
    trouble = Trouble(running)

    told = run_clients({"threads": OPERATIONS, "tasks": OPERATIONS}, running, trouble)

    print(json.dumps({k: v["results"] for k, v in told.items()}, indent=1), trouble.happened)
    for kind, seen in told.items():
        wrong = judged(seen, running[0].url)
        print(kind, {what: len(tokens) for what, tokens in wrong.items()}, seen["longest"])
        assert wrong == {"lost": [], "doubled": [], "done after all": []}, kind
        assert seen["operations"] == OPERATIONS
        assert seen["results"]["observe: ok"] > OPERATIONS * 0.5
        assert seen["longest"] <= seen["deadline"] * 1.1
    assert set(trouble.happened) >= {"kill", "stop", "slow", "reset", "burst", "restart"}


def test_a_client_that_repeats_everything_doubles_and_loses(running):
    """The guide's client, in the same trouble: this test can fail."""
    trouble = Trouble(running)

    told = run_clients({"naive": NAIVE_OPERATIONS}, running, trouble)

    wrong = judged(told["naive"], running[0].url)
    print({what: len(tokens) for what, tokens in wrong.items()}, trouble.happened)
    assert wrong["doubled"]
    assert wrong["lost"]
