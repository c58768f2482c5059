"""Drain and rolling replacement on real Docker, under load: no client notices."""

import json
import sys
from collections.abc import Callable
from typing import Any

import docker_facts
import pytest
from docker_facts import inspect
from pulumi_stack import ROOT, PulumiStack, run
from steady_load import CLIENTS, steady_load

# On a machine that is too busy, HAProxy's checks find every replica late and take all as down.
pytestmark = pytest.mark.alone

NAMES = ["kato-0", "kato-1", "kato-2"]


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def stack(request: pytest.FixtureRequest, new_stack: Callable[..., PulumiStack]) -> PulumiStack:
    made = new_stack(f"replace-{request.param}", proxy=request.param)
    made.up()
    return made


def kato_lb(stack: PulumiStack, *words: str, code: int = 0) -> dict[str, Any]:
    """Run the command on the stack; its report."""
    done = run(
        [sys.executable, "-m", "kato_balancing.cli", *words, "--cwd", str(stack.folder),
         "--stack", stack.name, "--json"],
        cwd=ROOT,
        env={
            "PULUMI_BACKEND_URL": (stack.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "",
        },
        limit=300,
    )  # fmt: skip
    assert done.returncode == code, f"{words} ended with {done.returncode}:\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ids(stack: PulumiStack) -> dict[str, str]:
    return {name: inspect(stack.container(name))["Id"] for name in NAMES}


def test_every_replica_is_replaced_and_no_request_fails(stack: PulumiStack) -> None:
    before = ids(stack)
    balancer = inspect(stack.container("balancer"))["Id"]
    with steady_load(stack.outputs()["url"]) as load:
        load.mark("replace --all")
        report = kato_lb(stack, "replace", "--all")
    seen, lost, after = load.report(), load.lost(), ids(stack)
    print(f"{stack.name}: {seen.requests} requests, {seen.failed} failed; {report}")

    assert seen.failures == ()
    assert (lost.lost, lost.doubled) == ((), ())
    assert [one["replica"] for one in report["replicas"]] == NAMES
    assert all(one["connections"] > 0 for one in report["replicas"])
    assert set(before.values()) & set(after.values()) == set()
    assert inspect(stack.container("balancer"))["Id"] == balancer
    assert stack.preview("--expect-no-changes").returncode == 0


def test_a_drained_replica_gets_nothing_until_the_drain_is_undone(stack: PulumiStack) -> None:
    address = f"{docker_facts.address(stack.container('kato-1'))}:8000"
    with steady_load(stack.outputs()["url"]) as load:
        kato_lb(stack, "drain", "kato-1")
        server = "kato-1" if "kato-1" in load.report().servers else address
        asked = load.report()
        docker_facts.wait_until(
            lambda: load.report().requests > asked.requests + 10 * CLIENTS, "the load goes on"
        )
        assert load.report().servers[server] == asked.servers[server]
        assert stack.preview("--expect-no-changes").returncode == 0
        kato_lb(stack, "drain", "kato-1", "--undo")
        docker_facts.wait_until(
            lambda: load.report().servers[server] > asked.servers[server], "work for kato-1"
        )
    assert load.report().failures == ()
    assert load.lost().lost == ()


def test_a_replica_that_does_not_get_healthy_stops_the_replacement(stack: PulumiStack) -> None:
    before = ids(stack)
    image = stack.settings["katoImage"]
    stack.configure(katoImage="kato-lb/nowhere:6.3.0")
    failed = kato_lb(stack, "replace", "--all", code=1)
    assert failed["replicas"] == []
    assert "kato-lb replace kato-0 kato-1 kato-2" in failed["problem"]
    with steady_load(stack.outputs()["url"]) as load:
        stack.configure(katoImage=image, draining=["kato-0"])
        kato_lb(stack, "replace", "kato-0", "kato-1", "kato-2")
    after = ids(stack)
    assert load.report().failures == ()
    assert set(before.values()) & set(after.values()) == set()
    assert stack.preview("--expect-no-changes").returncode == 0
