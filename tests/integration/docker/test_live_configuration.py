"""Changes reach the running balancer by a reload; what it refuses changes nothing."""

from collections.abc import Callable
from pathlib import Path

import docker_facts
import httpx
import pytest
import yaml
from docker_facts import inspect, wait_until
from pulumi_stack import PulumiStack, must
from steady_load import CLIENTS, steady_load

from dev.free_ports import free_port
from kato_balancing.headers import (
    REVEAL_REQUEST_HEADER,
    REVEAL_REQUEST_VALUE,
    REVEAL_RESPONSE_HEADER,
)
from kato_balancing.verify import VerifyOptions, verify
from kato_balancing.verify.load import SteadyLoad

RELOADS = 6
DRAINS = 3


READ_TIMEOUT = {"nginx": "proxy_read_timeout 400s", "haproxy": "timeout server 400000ms"}


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def stack(request: pytest.FixtureRequest, new_stack: Callable[..., PulumiStack]) -> PulumiStack:
    made = new_stack(f"live-{request.param}", proxy=request.param)
    made.up()
    return made


@pytest.mark.parametrize("learned", [False, True])
def test_nothing_is_lost_with_or_without_a_learned_table(stack: PulumiStack, learned: bool) -> None:
    stack.configure(balancer={"revealServers": True, **({"learned": {}} if learned else {})})
    stack.up()
    report = verify(stack.outputs()["url"], VerifyOptions())
    assert report.holds is True, report


def same_process(before: dict[str, object], stack: PulumiStack, part: str = "balancer") -> bool:
    now = inspect(stack.container(part))
    return (before["Id"], before["State"]["StartedAt"]) == (now["Id"], now["State"]["StartedAt"])  # type: ignore[index]


def test_reloads_and_drains_lose_no_request(stack: PulumiStack) -> None:
    balancer = inspect(stack.container("balancer"))
    with steady_load(stack.outputs()["url"]) as load:
        for number in range(RELOADS):
            rules = {"revealServers": True, "timeouts": {"read": 301 + number}}
            stack.configure(balancer=rules)
            stack.up()
        for number in range(DRAINS):
            name = f"kato-{number}"
            stack.configure(draining=[name])
            stack.up()
            # nginx names a server by its address, HAProxy by its name.
            address = f"{docker_facts.address(stack.container(name))}:8000"
            server = name if name in load.report().servers else address
            settled = drained_count(load, server)
            assert load.report().servers[server] == settled, f"{name} still gets work"
        stack.configure(draining=None)
        stack.up()
    report = load.report()
    print(f"{RELOADS} reloads, {DRAINS} drains: {report.requests} requests, {report.failed} failed")
    assert report.failed == 0, report.failures
    assert load.lost().lost == ()
    assert same_process(balancer, stack)


def drained_count(load: SteadyLoad, server: str) -> int:
    """Answers by a drained server once what was in flight has ended."""
    at_first = load.report().requests
    wait_until(lambda: load.report().requests > at_first + 4 * CLIENTS, "the load goes on")
    count = load.report().servers[server]
    then = load.report().requests
    wait_until(lambda: load.report().requests > then + 4 * CLIENTS, "the load goes on")
    return count


def test_a_preview_shows_the_change_and_a_refresh_shows_none(stack: PulumiStack) -> None:
    stack.configure(balancer={"revealServers": True, "timeouts": {"read": 400}})
    shown = stack.preview("--diff")
    assert READ_TIMEOUT[stack.settings["proxy"]] in shown.stdout
    assert stack.preview("--expect-no-changes").returncode != 0
    stack.up()
    stack.refresh()
    assert stack.preview("--expect-no-changes").returncode == 0


def test_when_a_deployment_is_done_the_slowest_balancer_has_taken_it(stack: PulumiStack) -> None:
    url, balancer = stack.outputs()["url"], stack.container("balancer")
    asking = {REVEAL_REQUEST_HEADER: REVEAL_REQUEST_VALUE}
    must(["docker", "update", "--cpus", "0.1", balancer])
    try:
        for revealed in (False, True):
            stack.configure(balancer={"revealServers": revealed})
            stack.up()
            # A connection each: one that is kept stays with the process that has it.
            answers = [httpx.get(f"{url}/sessions/a/exists", headers=asking) for _ in range(5)]
            assert {REVEAL_RESPONSE_HEADER in one.headers for one in answers} == {revealed}
    finally:
        must(["docker", "update", "--cpus", "2", balancer])


REFUSING_PROGRAM = """
import pulumi
from components import NginxBalancer
config = pulumi.Config()
pulumi.export("url", NginxBalancer("lb", {
    "servers": [{"name": "a", "host": "127.0.0.1", "port": 8081}],
    "image": "kato-lb/nginx:1.22",
    "version": config.require("version"),
    "publish": {"port": config.require_int("port")},
}).url)
"""


def test_a_refused_configuration_leaves_the_old_one_running(
    new_stack: Callable[..., PulumiStack],
) -> None:
    stack = new_stack("refusing")
    program = stack.folder / "__main__.py"
    program.unlink()
    program.write_text(REFUSING_PROGRAM)
    project = Path(stack.folder / "Pulumi.yaml")
    declared = yaml.safe_load(project.read_text())
    project.unlink()
    naming = {"pulumi:autonaming": declared["config"]["pulumi:autonaming"]}
    project.write_text(yaml.safe_dump({**declared, "config": naming}))
    stack.settings = {"version": "1.22", "port": free_port()}
    stack.configure()
    stack.up()
    url = stack.outputs()["url"]
    running = inspect(stack.container("lb"))
    assert httpx.get(f"{url}/lb/health").status_code == 200
    # nginx 1.22 does not know what 1.30 is told.
    stack.configure(version="1.30")
    with pytest.raises(AssertionError) as failed:
        stack.up()
    assert "keepalive_min_timeout" in str(failed.value)
    assert "the one before is still in use" in str(failed.value)
    assert httpx.get(f"{url}/lb/health").status_code == 200
    assert same_process(running, stack, "lb")
    stack.configure(version="1.22")
    stack.up()
    assert stack.preview("--expect-no-changes").returncode == 0
