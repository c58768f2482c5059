"""Each check holds on a sound balancer and is broken, or undecided, on a broken one."""

import socket

import pytest
from fake_balancer import FakeBalancer, Fault, served

from kato_balancing.verify import CheckName, Verdict, VerifyOptions, verify
from kato_balancing.verify.report import CheckResult
from kato_balancing.verify.ways import WAYS


def run(check: CheckName, *faults: Fault, **options) -> tuple[CheckResult, FakeBalancer]:
    balancer = FakeBalancer(*faults)
    chosen = VerifyOptions(
        checks=(check,),
        **{
            "sessions": 4,
            "writers": 12,
            "observations": 80,
            "keep_alive_connections": 4,
            "keep_alive_rounds": 3,
            "keep_alive_interval": 0.02,
            "timeout": 10,
            **options,
        },
    )
    with served(balancer) as url:
        report = verify(url, chosen)
    (result,) = report.checks
    return result, balancer


@pytest.mark.parametrize("check", list(CheckName))
def test_a_sound_balancer_holds_and_is_left_clean(check):
    result, balancer = run(check)
    assert result.verdict is Verdict.HOLDS
    assert result.messages == ()
    assert balancer.memories == {}
    assert balancer.deleted
    assert len(set(balancer.nodes)) == len(balancer.nodes)
    assert all(node.startswith("kato-lb-verify-") for node in balancer.nodes)


@pytest.mark.parametrize("check", [CheckName.REACHABILITY, CheckName.OVERLAP])
def test_a_failed_clean_up_is_told_and_changes_no_verdict(check):
    result, _ = run(check, "deletes fail")
    assert result.verdict is Verdict.HOLDS
    (note,) = result.messages
    assert "could not be deleted (500)" in note


# --- reachability ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "figures", "words"),
    [
        ("Redis away", ("200", "500", "500"), "check REDIS_URL"),
        ("only 502", ("502", "502", "502"), "Every request answers 502"),
        ("not KATO", ("404", "404", "404"), "not KATO"),
        ("redirects", ("307", "307", "307"), "'https://elsewhere.test/'"),
        ("no session id", ("200", "200", "200"), "without a session_id"),
    ],
)
def test_unreachable_in_the_ways_that_happen(fault, figures, words):
    result, _ = run(CheckName.REACHABILITY, fault)
    assert result.verdict is Verdict.BROKEN
    found = result.record().figures
    assert (found["health"], found["exists"], found["create"]) == figures
    assert words in " ".join(result.messages)


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        report = verify(url)
    assert report.holds is False
    first, *others = report.checks
    assert first.verdict is Verdict.BROKEN
    assert "nothing listens there" in first.messages[0]
    assert {other.verdict for other in others} == {Verdict.UNDECIDED}


def test_a_server_that_accepts_and_never_answers():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        report = verify(url, VerifyOptions(checks=(CheckName.REACHABILITY,), timeout=0.2))
    (result,) = report.checks
    assert result.verdict is Verdict.BROKEN
    assert "a server hangs" in result.messages[0]


@pytest.mark.parametrize("check", [CheckName.AFFINITY, CheckName.OVERLAP, CheckName.KEEP_ALIVE])
def test_without_sessions_nothing_is_decided(check):
    result, _ = run(check, "Redis away")
    assert result.verdict is Verdict.UNDECIDED
    assert "POST /sessions failed for" in result.messages[0]


# --- affinity -------------------------------------------------------------------------------


def test_all_ways_are_sent_as_they_are_written_over_kept_and_fresh_connections():
    result, balancer = run(CheckName.AFFINITY)
    assert result.figures.servers.keys() <= {"kato-0", "kato-1", "kato-2"}
    assert sum(result.figures.servers.values()) == 4
    session = balancer.deleted[0]
    for path in (
        f"/sessions/{session}/exists",
        f"//sessions/{session}/exists",
        f"/sessions/%73{session[1:]}/exists",
        "/health",
    ):
        assert path in balancer.paths
    fresh = result.figures.requests / 2
    assert fresh < len(balancer.connections) < result.figures.requests


@pytest.mark.parametrize(
    ("fault", "way"),
    [
        ("query in key", "query"),
        ("double slash without key", "double slash"),
        ("raw path in key", "encoded"),
        ("header ignored", "header"),
    ],
)
def test_affinity_broken_for_one_way_names_that_way_alone(fault, way):
    result, _ = run(CheckName.AFFINITY, fault)
    assert result.verdict is Verdict.BROKEN
    shares = {figures.way: figures.share_as_path for figures in result.figures.ways}
    assert shares.pop(way) < 1
    assert set(shares.values()) == {1}
    (message,) = result.messages
    assert message.startswith(f"Named by {way}, ")
    assert next(known.cure for known in WAYS if known.name == way) in message


def test_no_affinity_at_all():
    result, _ = run(CheckName.AFFINITY, "spread")
    assert result.verdict is Verdict.BROKEN
    assert result.figures.one_server_share < 1
    assert "under their plain path" in result.messages[0]


def test_a_balancer_that_does_not_name_its_servers_is_undecided():
    result, _ = run(CheckName.AFFINITY, "not revealed")
    assert result.verdict is Verdict.UNDECIDED
    assert "X-Kato-Reveal: server" in result.messages[0]


def test_another_header_can_name_the_servers():
    result, _ = run(CheckName.AFFINITY, server_header="X-Other")
    assert result.verdict is Verdict.UNDECIDED
    assert "X-Other" in result.messages[0]


def test_errors_without_the_header_are_undecided():
    result, _ = run(CheckName.AFFINITY, "not revealed on errors")
    assert result.verdict is Verdict.UNDECIDED
    assert "requests by double slash" in result.messages[0]


def test_a_way_that_the_balancer_turns_away_is_safe():
    result, _ = run(CheckName.AFFINITY, "double slash refused")
    assert result.verdict is Verdict.HOLDS
    assert "turned away by the balancer itself" in result.messages[0]


def test_one_server_says_nothing_unless_that_is_accepted():
    result, _ = run(CheckName.AFFINITY, "one server")
    assert result.verdict is Verdict.UNDECIDED
    assert "Only one server was seen (kato-0)" in result.messages[0]
    result, _ = run(CheckName.AFFINITY, "one server", allow_one_server=True)
    assert result.verdict is Verdict.HOLDS


def test_the_last_server_tried_is_the_one_that_answered():
    result, _ = run(CheckName.AFFINITY, "tried another first")
    assert result.verdict is Verdict.HOLDS
    assert "kato-9" not in result.figures.servers
    assert result.figures.retried == result.figures.requests
    assert "a server is down" in result.messages[0]


# --- overlap --------------------------------------------------------------------------------


def test_everything_written_is_accounted_for():
    result, _ = run(CheckName.OVERLAP, observations=83)
    figures = result.figures
    assert figures.sent == figures.acknowledged == figures.stored_events == 83
    assert figures.overlapped > 8


@pytest.mark.parametrize("fault", ["spread", "unlocked"])
def test_lost_updates_are_found(fault):
    result, _ = run(CheckName.OVERLAP, fault)
    assert result.verdict is Verdict.BROKEN
    assert result.figures.lost > 0
    assert result.figures.stored_events == 80 - result.figures.lost
    assert "KATO_WORKERS=1" in result.messages[0]


def test_repeated_posts_are_found():
    result, _ = run(CheckName.OVERLAP, "stores twice")
    assert result.verdict is Verdict.BROKEN
    assert (result.figures.lost, result.figures.doubled) == (0, 8)
    assert "Never repeat a POST" in result.messages[0]


def test_failures_are_broken_with_their_kinds():
    result, _ = run(CheckName.OVERLAP, "502 now and then")
    assert result.verdict is Verdict.BROKEN
    assert result.figures.failure_kinds == {"502": 8}
    assert result.figures.unacknowledged_present == result.figures.lost == 0
    assert "8 x 502" in result.messages[0]


def test_writing_stops_when_only_failures_come_back():
    result, balancer = run(CheckName.OVERLAP, "502 for every observation", writers=2)
    assert result.verdict is Verdict.BROKEN
    assert 4 <= result.figures.sent == result.figures.failed < 10
    assert "Writing stopped after" in " ".join(result.messages)
    assert balancer.memories == {}


def test_failing_keep_alive_is_broken():
    result, _ = run(CheckName.KEEP_ALIVE, "502 now and then")
    assert result.verdict is Verdict.BROKEN
    assert (result.figures.requests, result.figures.failed) == (12, 1)
    assert "keepalive_timeout 4s" in result.messages[0]


def test_connections_are_kept():
    result, balancer = run(CheckName.KEEP_ALIVE, keep_alive_rounds=6)
    assert result.figures.reopened == 0
    # Those of creating and deleting the sessions come on top of the four that are held.
    assert len(balancer.connections) < 4 * 6


def test_stored_but_unacknowledged_is_told_apart():
    result, _ = run(CheckName.OVERLAP, "502 after storing")
    assert result.figures.unacknowledged_present == result.figures.failed == 8
    assert result.figures.lost == result.figures.doubled == 0


def test_strings_of_others_are_told():
    result, _ = run(CheckName.OVERLAP, "foreign strings")
    assert result.verdict is Verdict.HOLDS
    assert result.figures.foreign == 4
    assert "not written by this check" in result.messages[0]


def test_memories_that_cannot_be_read_are_undecided():
    result, _ = run(CheckName.OVERLAP, "memory unreadable", sessions=1, observations=10)
    assert result.verdict is Verdict.UNDECIDED
    assert result.figures.unread_sessions == 1


def test_memories_that_kato_empties_by_itself_are_undecided():
    result, _ = run(CheckName.OVERLAP, "learns by itself")
    assert result.verdict is Verdict.UNDECIDED
    assert "MAX_PATTERN_LENGTH=0" in result.messages[0]
