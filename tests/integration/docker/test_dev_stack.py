"""The dev stack on real parts: what `make up` promises, and what events cost its clients."""

from collections.abc import Callable

import httpx
import pytest
from docker_facts import (
    access_log,
    address,
    healthy,
    inspect,
    kill_process,
    started_at,
    wait_until,
)
from pulumi_stack import PulumiStack, must, run
from steady_load import CLIENTS, steady_load

from kato_balancing.verify import Report, VerifyOptions, verify
from kato_balancing.verify.load_report import LoadReport


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., PulumiStack]) -> PulumiStack:
    made = new_stack("affine")
    made.up()
    return made


@pytest.fixture
def url(stack: PulumiStack) -> str:
    return str(stack.outputs()["url"])


def proof(url: str, **options: object) -> Report:
    return verify(url, VerifyOptions(**options))  # type: ignore[arg-type]


def test_it_answers_on_the_loopback_address_only(stack: PulumiStack, url: str) -> None:
    assert httpx.get(f"{url}/health").status_code == 200
    published = [
        binding["HostIp"]
        for name in stack.containers()
        for bindings in (inspect(name)["HostConfig"]["PortBindings"] or {}).values()
        for binding in bindings
    ]
    assert published == ["127.0.0.1"]


def test_the_stand_in_is_named_at_every_up(stack: PulumiStack) -> None:
    assert "stand-in" in stack.outputs()["runs"]
    assert "This stack runs the KATO stand-in" in stack.up()


def test_a_second_up_and_a_refresh_change_nothing(stack: PulumiStack) -> None:
    before = stack.containers()
    stack.up()
    assert stack.containers() == before
    assert stack.preview("--expect-no-changes").returncode == 0
    stack.refresh()
    assert stack.preview("--expect-no-changes").returncode == 0


def test_no_acknowledged_observation_is_lost_and_sessions_stay(url: str) -> None:
    report = proof(url, sessions=40, writers=40, observations=2000)
    assert report.holds is True, report


def test_the_proof_fails_without_affinity(new_stack: Callable[..., PulumiStack]) -> None:
    broken = new_stack("spread", affinity="NONE")
    broken.up()
    command = ["kato-lb", "verify", broken.outputs()["url"], "--json"]
    done = run(command, limit=120)
    assert done.returncode == 1, done.stdout + done.stderr
    overlap = proof(broken.outputs()["url"], checks=("overlap",)).checks[0]
    assert overlap.figures.lost_share > 0.10


def test_private_paths_stay_private(url: str) -> None:
    for path in ("/status", "//status", "/%73tatus", "/docs", "/cache/invalidate", "/metrics/x"):
        assert httpx.get(f"{url}{path}").status_code == 404, path


def test_scaling_out_and_in_under_load(stack: PulumiStack, url: str) -> None:
    balancer = inspect(stack.container("balancer"))
    with steady_load(url) as load:
        stack.configure(replicas=4)
        stack.up()
        added = address(stack.container("kato-3"))
        wait_until(lambda: f"{added}:8000" in load.report().servers, "the new replica serves")
        scaled_out = load.report()
        load.mark("scale in")
        stack.configure(replicas=3)
        stack.up()
        after = load.report().requests
        wait_until(lambda: load.report().requests > after + 500, "the load goes on")
    assert scaled_out.failed == 0, scaled_out.failures
    report = load.report()
    print_report("3 -> 4 -> 3", report)
    assert_only_in_flight_on(stack, report, added)
    assert load.lost().lost == ()
    assert inspect(stack.container("balancer"))["Id"] == balancer["Id"]
    assert (
        inspect(stack.container("balancer"))["State"]["StartedAt"] == balancer["State"]["StartedAt"]
    )


def test_a_killed_replica_costs_only_posts_in_flight(stack: PulumiStack, url: str) -> None:
    victim = stack.container("kato-1")
    killed = address(victim)
    with steady_load(url) as load:
        wait_until(lambda: load.report().requests > 500, "the load runs")
        before = started_at(victim)
        kill_process(victim)
        # Until it has started again, the engine shows the health of the process that is gone.
        wait_until(lambda: started_at(victim) != before and healthy(victim), "the replica is back")
        back = f"{address(victim)}:8000"
        seen = load.report().servers.get(back, 0)
        wait_until(lambda: load.report().servers.get(back, 0) > seen + 50, "it serves again")
    report = load.report()
    print_report("SIGKILL", report)
    assert report.methods["GET"].failed == 0, report.methods["GET"].kinds
    assert_only_in_flight_on(stack, report, killed)
    assert load.lost().lost == ()


def test_sessions_survive_a_restart_of_redis(stack: PulumiStack, url: str) -> None:
    redis = stack.container("stores-redis")
    replicas = stack.containers("kato-")
    starts = [inspect(name)["RestartCount"] for name in replicas]
    with httpx.Client(base_url=url, timeout=30) as client:
        session = client.post("/sessions", json={"node_id": "survivor"}).json()["session_id"]
        observation = {"strings": ["kept"], "vectors": [], "emotives": {}}
        path = f"/sessions/{session}"
        assert client.post(f"{path}/observe", json=observation).status_code == 200
        must(["docker", "stop", redis])
        assert client.get("/health").status_code == 200
        assert client.get("/sessions/lb-probe/exists").status_code == 500
        must(["docker", "start", redis])
        wait_until(lambda: healthy(redis), "Redis is back")
        wait_until(
            lambda: client.get("/sessions/lb-probe/exists").status_code == 200, "KATO sees it"
        )
        assert client.get(f"{path}/stm").json()["stm"] == [["kept"]]
    assert [inspect(name)["RestartCount"] for name in replicas] == starts


def test_the_keep_alive_race_is_won(url: str) -> None:
    report = proof(url, checks=("keep-alive",))
    assert report.holds is True, report
    assert report.checks[0].figures.requests >= 200


def test_a_changed_image_replaces_replicas_one_after_another(stack: PulumiStack, url: str) -> None:
    must(["docker", "tag", "kato-lb/kato-stand-in:6.3.0", "kato-lb/kato-stand-in:6.3.1"])
    before = stack.containers("kato-")
    stack.configure(katoImage="kato-lb/kato-stand-in:6.3.1")
    with steady_load(url) as load:
        stack.up()
    stack.configure(katoImage="kato-lb/kato-stand-in:6.3.0")
    report = load.report()
    print_report("rolling replacement", report)
    assert not set(before) & set(stack.containers("kato-"))
    assert report.methods["GET"].failed == 0, report.methods["GET"].kinds
    assert load.lost().lost == ()
    # Never more than one replica's share of the clients at a time.
    assert report.failed <= CLIENTS
    stack.up()
    must(["docker", "rmi", "kato-lb/kato-stand-in:6.3.1"])


def print_report(title: str, report: LoadReport) -> None:
    """Shown by pytest -s and when the test fails."""
    figures = {m: (f.ok, f.failed, f.kinds) for m, f in report.methods.items()}
    print(f"{title}: {report.requests} requests in {report.seconds:.0f} s, {figures}")


def assert_only_in_flight_on(stack: PulumiStack, report: LoadReport, lost_address: str) -> None:
    """Each failed request was a POST that had been sent to the replica that went away."""
    logged = [
        line
        for line in access_log(stack.container("balancer"))
        if line["status"] == "502" and line["session"]
    ]
    assert {f.method for f in report.failures} <= {"POST"}
    assert report.failed <= CLIENTS
    assert len(logged) >= report.failed
    assert {
        line["upstream"].split(", ")[-1] for line in logged[-report.failed :] if report.failed
    } <= {f"{lost_address}:8000"}


def test_another_program_takes_the_port_over(new_stack: Callable[..., PulumiStack]) -> None:
    stack = new_stack("other-program")
    stack.up()
    others = stack.containers("kato"), stack.containers("stores")
    for proxy, image in (("haproxy", "kato-lb/haproxy:3.2"), ("nginx", "kato-lb/nginx:1.30")):
        stack.configure(proxy=proxy)
        stack.up()

        assert inspect(stack.container("balancer"))["Config"]["Image"] == image
        assert proof(stack.outputs()["url"], checks=("reachability", "affinity")).holds is True
        assert stack.preview("--expect-no-changes").returncode == 0
    assert (stack.containers("kato"), stack.containers("stores")) == others
