"""The sequences of drain and replacement, and what is left when a step fails."""

import pytest
from fake_replicas import FakeClock, FakeReplicas

from kato_balancing.operations.drain import QUIET, drain, undo
from kato_balancing.operations.replace import replace
from kato_balancing.operations.report import OperationError, ReplicaReport
from kato_balancing.operations.stack import StackError

ALL = ["kato-0", "kato-1", "kato-2"]


def silent(text: str) -> None:
    assert text


def drained(replicas: FakeReplicas, name: str = "kato-1", limit: float = 60) -> ReplicaReport:
    return drain(replicas, name, limit=limit, tell=silent, clock=replicas.clock)


def replaced(
    replicas: FakeReplicas, names: list[str] = ALL, limit: float = 60
) -> list[ReplicaReport]:
    found = replace(replicas, names, limit=limit, tell=silent, clock=replicas.clock)
    return list(found)


def test_a_drain_marks_and_waits_until_nothing_is_in_flight():
    replicas = FakeReplicas(FakeClock())
    report = drained(replicas)
    assert replicas.steps == ["mark kato-1"]
    assert (report.replica, report.connections, report.healthy_seconds) == ("kato-1", 7, None)
    assert 5 + QUIET <= report.drained_seconds <= 5 + QUIET + 1
    assert replicas.marked == ["kato-1"]


def test_work_that_comes_again_begins_the_quiet_time_anew():
    replicas = FakeReplicas(FakeClock(), returns=[(6.0, 9.0)])
    assert drained(replicas).drained_seconds >= 9 + QUIET


def test_a_process_from_before_the_reload_is_waited_for():
    replicas = FakeReplicas(FakeClock(), old_process_seconds=30)
    assert drained(replicas).drained_seconds >= 30 + QUIET


def test_a_marked_replica_is_not_marked_again():
    replicas = FakeReplicas(FakeClock(), marked=["kato-1"], marked_at={"kato-1": -100.0})
    drained(replicas)
    assert replicas.steps == []


def test_other_marks_stay():
    replicas = FakeReplicas(FakeClock(), marked=["kato-2"])
    drained(replicas)
    assert replicas.marked == ["kato-2", "kato-1"]
    undo(replicas, "kato-1", silent)
    assert replicas.marked == ["kato-2"]


def test_the_wait_ends_with_the_counts_and_the_mark_stays():
    replicas = FakeReplicas(FakeClock(), busy_seconds=1000, old_process_seconds=1000)
    with pytest.raises(OperationError, match=r"after 60 s: 7 connections, 1 processes"):
        drained(replicas)
    assert replicas.marked == ["kato-1"]
    assert replicas.clock.now <= 62


@pytest.mark.parametrize(
    ("replicas", "name", "message"),
    [
        (FakeReplicas(FakeClock()), "kato-9", "use one of: kato-0, kato-1, kato-2"),
        (FakeReplicas(FakeClock(), running=[]), "kato-0", "none runs"),
        (FakeReplicas(FakeClock(), running=["kato-0"]), "kato-0", "no replica would serve"),
        (FakeReplicas(FakeClock(), marked=["kato-0", "kato-2"]), "kato-1", "would serve"),
    ],
)
def test_what_can_not_be_drained_is_refused_before_anything_changes(replicas, name, message):
    with pytest.raises(OperationError, match=message):
        drained(replicas, name)
    assert replicas.steps == []


def test_undo_of_what_is_not_marked_changes_nothing():
    replicas = FakeReplicas(FakeClock())
    undo(replicas, "kato-1", silent)
    assert replicas.steps == []
    with pytest.raises(OperationError, match="kato-9"):
        undo(replicas, "kato-9", silent)


def test_each_is_drained_replaced_and_served_again_before_the_next():
    replicas = FakeReplicas(FakeClock())
    reports = replaced(replicas)
    assert replicas.steps == [
        step for name in ALL for step in (f"mark {name}", f"replace {name}", "mark none")
    ]
    assert [report.replica for report in reports] == ALL
    assert {report.healthy_seconds for report in reports} == {3.0}


def test_one_that_a_failed_run_left_marked_goes_first():
    replicas = FakeReplicas(FakeClock(), marked=["kato-1"], marked_at={"kato-1": -100.0})
    assert [report.replica for report in replaced(replicas)] == ["kato-1", "kato-0", "kato-2"]
    assert replicas.steps[0] == "replace kato-1"
    assert replicas.marked == []


@pytest.mark.parametrize(
    ("fails", "marked", "done"),
    [
        ("mark kato-1", [], ["kato-0"]),
        ("replace kato-1", ["kato-1"], ["kato-0"]),
    ],
)
def test_a_failed_step_stops_and_says_how_to_go_on(fails, marked, done):
    replicas = FakeReplicas(FakeClock(), fails={fails})
    steps = replace(replicas, ALL, limit=60, tell=silent, clock=replicas.clock)
    assert [next(steps).replica for _ in done] == done
    with pytest.raises(OperationError) as failed:
        next(steps)
    assert replicas.marked == marked
    assert "the engine failed" in str(failed.value)
    assert "'kato-lb replace kato-1 kato-2'" in str(failed.value)
    replicas.fails.clear()
    assert [one.replica for one in replaced(replicas, ["kato-1", "kato-2"])] == ALL[1:]
    assert replicas.marked == []


def test_one_that_does_not_get_idle_is_given_its_work_back():
    replicas = FakeReplicas(FakeClock(), busy_seconds=1000)
    with pytest.raises(OperationError, match="is not idle after 60 s"):
        replaced(replicas)
    assert replicas.steps == ["mark kato-0", "mark none"]


def test_a_failed_mark_of_a_single_drain_is_the_stacks_own_error():
    replicas = FakeReplicas(FakeClock(), fails={"mark kato-1"})
    with pytest.raises(StackError):
        drained(replicas)
