"""Prometheus on real stacks of both programs: what it sees, what it says, what it costs nobody."""

import time
from collections.abc import Callable

import httpx
import pytest
from prometheus_api import Prometheus, until
from pulumi_stack import PulumiStack, must

from kato_balancing.monitoring import scraping
from kato_balancing.monitoring.panels import ALERTS, PANELS
from kato_balancing.verify.load import SteadyLoad

PROGRAMS = ("nginx", "haproxy")
LOST_UPDATES = ALERTS[0]
NAMES = {f"kato-{index}" for index in range(5)}
PASSWORD = "hunter-2"

Watched = dict[str, tuple[PulumiStack, Prometheus]]


@pytest.fixture(scope="module")
def watched(watched_stack: Callable[..., tuple[PulumiStack, Prometheus]]) -> Watched:
    """A sound stack of each program."""
    return {
        program: watched_stack(f"seen-{program}", proxy=program, redis={"password": PASSWORD})
        for program in PROGRAMS
    }


def load_on(stack: PulumiStack) -> SteadyLoad:
    """Clients with a session each, that leave the machine some time for the rest."""
    return SteadyLoad(str(stack.outputs()["url"]), clients=12, think_time=0.05)


def answers(prometheus: Prometheus) -> float:
    """Requests with a session that were counted."""
    return prometheus.value("sum(kato_lb_session_answers_total)")


def missing(prometheus: Prometheus) -> list[str]:
    """Panels and alerts whose expression has no data now."""
    expressions = {panel.title: panel.expression for panel in PANELS}
    expressions |= {alert.name: alert.expression for alert in ALERTS}
    return [name for name, text in expressions.items() if not prometheus.query(text)]


@pytest.mark.parametrize("program", PROGRAMS)
def test_promtool_accepts_what_prometheus_runs(watched: Watched, program: str) -> None:
    container = watched[program][0].container("monitoring-prometheus")

    said = must(
        [
            "docker",
            "exec",
            container,
            "promtool",
            "check",
            "config",
            "/etc/prometheus/prometheus.yml",
        ]
    )
    assert f"{len(ALERTS)} rules found" in said


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_panel_and_alert_has_data_and_none_fires(watched: Watched, program: str) -> None:
    stack, prometheus = watched[program]

    with load_on(stack):
        until(lambda: not missing(prometheus), f"no data: {missing(prometheus)}", 90)
        began = time.monotonic()
        until(lambda: answers(prometheus) > 500, "the log is counted", 90)
    seconds = round(time.monotonic() - began) + 10
    assert prometheus.targets()["kato"] == {"up"}
    highest = f"max_over_time(({LOST_UPDATES.expression})[{seconds}s:{scraping.SECONDS}s])"
    # Not 0: on a busy machine HAProxy's checks may put a server aside for a moment.
    assert prometheus.value(highest) < LOST_UPDATES.above
    assert "firing" not in prometheus.alerts().values()
    for label in ("server", "le", "code", "state"):
        series = prometheus.query(f'count by ({label}) ({{__name__=~"kato_lb_.+"}})')
        values = {one["metric"].get(label, "") for one in series}
        assert len(values) < 20, values
        if label == "server":
            assert values - {""} <= {*NAMES, "none"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_request_is_counted_once(watched: Watched, program: str) -> None:
    stack, prometheus = watched[program]
    url = str(stack.outputs()["url"])
    counted = 'sum(kato_lb_requests_total{code="404"})'
    before = prometheus.query(counted)
    start = float(before[0]["value"][1]) if before else 0.0

    with httpx.Client(base_url=url, timeout=30) as client:
        for _ in range(300):
            assert client.get("/status").status_code == 404

    def all_are_there() -> bool:
        found = prometheus.query(counted)
        return bool(found) and float(found[0]["value"][1]) - start == 300

    until(all_are_there, "300 lines are counted", 60)
    assert prometheus.value("sum(kato_lb_unreadable_lines_total)") == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_killed_replica_is_seen_and_is_no_lost_update(watched: Watched, program: str) -> None:
    stack, prometheus = watched[program]
    victim = stack.container("kato-1")
    aside = 'max(increase(kato_lb_ejections_total{server="kato-1"}[5m]))'

    with load_on(stack) as load:
        until(lambda: load.report().requests > 200, "the load runs", 60)
        must(["docker", "kill", victim])
        until(lambda: prometheus.value(aside) > 0, "kato-1 is put aside", 60)
        must(["docker", "start", victim])
        until(
            lambda: prometheus.value("sum(increase(kato_lb_session_moves_total[5m]))") > 0,
            "its sessions move",
            60,
        )
        [retries] = [panel for panel in PANELS if panel.title == "Retries"]
        until(lambda: prometheus.value(retries.expression) > 0, "requests are repeated", 60)
    assert prometheus.alerts().get(LOST_UPDATES.name) != "firing"


@pytest.mark.parametrize("program", PROGRAMS)
def test_without_its_exporter_no_request_fails(watched: Watched, program: str) -> None:
    stack, prometheus = watched[program]
    exporter = stack.container("monitoring-exporter")

    with load_on(stack) as load:
        for signal in ("STOP", "CONT"):
            # Stopped, its queue fills up.
            must(["docker", "kill", "--signal", signal, exporter])
            done = load.report().requests
            until(lambda done=done: load.report().requests > done + 300, "the load goes on", 60)
        must(["docker", "stop", exporter])
        done = load.report().requests
        until(lambda: load.report().requests > done + 300, "the load goes on", 60)
        must(["docker", "start", exporter])
        until(
            lambda: bool(prometheus.query("kato_lb_session_answers_total > 50")),
            "it counts again",
            60,
        )
    assert load.report().failed == 0, load.report().failures


def test_a_second_up_changes_nothing(watched: Watched) -> None:
    for stack, _ in watched.values():
        assert stack.preview("--expect-no-changes").returncode == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_password_of_redis_is_shown_nowhere(watched: Watched, program: str) -> None:
    stack, prometheus = watched[program]

    assert prometheus.value("redis_up") == 1
    for part in ("prometheus", "redis-exporter", "exporter"):
        container = stack.container(f"monitoring-{part}")
        assert PASSWORD not in must(["docker", "logs", container])
    state = must(
        ["pulumi", "stack", "export", "--stack", stack.name],
        cwd=stack.folder,
        env={
            "PULUMI_BACKEND_URL": (stack.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "",
        },
    )
    assert PASSWORD not in state


def test_the_lost_update_alarm_fires_without_affinity(watched: Watched) -> None:
    """The last test here: afterwards these stacks lose updates."""
    for stack, prometheus in watched.values():
        assert prometheus.alerts().get(LOST_UPDATES.name) != "firing"
        stack.configure(affinity="NONE")
        stack.up()
    loads = [load_on(stack) for stack, _ in watched.values()]
    with loads[0], loads[1]:
        for _, prometheus in watched.values():
            until(
                lambda seen=prometheus: seen.alerts().get(LOST_UPDATES.name) == "firing",
                f"{LOST_UPDATES.name} fires",
                LOST_UPDATES.seconds + 120,
            )
