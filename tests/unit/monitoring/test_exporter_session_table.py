"""Sessions and who answered them: against a plain model, and at the limits."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kato_balancing.monitoring.exporter.session_table import (
    LIVE_SECONDS,
    SUSPECT_SECONDS,
    Change,
    SessionTable,
)

STAYED = Change(moved=False, soon=False)
MOVED = Change(moved=True, soon=False)
SUSPECT = Change(moved=True, soon=True)

EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["kato-0", "kato-1"]),
        st.sampled_from([0.0, 1.0, 30.0, SUSPECT_SECONDS, 61.0, 300.0, LIVE_SECONDS + 1]),
    )
)


@settings(deadline=None, derandomize=True)
@given(EVENTS)
def test_it_agrees_with_a_plain_model(events: list[tuple[str, str, float]]) -> None:
    table, now = SessionTable(), 0.0
    model: dict[str, tuple[str, float]] = {}

    for session, server, pause in events:
        now += pause
        model = {s: known for s, known in model.items() if now - known[1] <= LIVE_SECONDS}
        before = model.get(session)
        moved = before is not None and before[0] != server
        soon = moved and before is not None and now - before[1] <= SUSPECT_SECONDS
        assert table.answered(session, server, now) == Change(moved, soon)
        model[session] = (server, now)
        servers = [known[0] for known in model.values()]
        assert table.live(now) == {one: servers.count(one) for one in servers}


def test_two_servers_within_a_minute_are_suspect_and_later_ones_only_a_move() -> None:
    table = SessionTable()

    assert table.answered("s", "kato-0", 0) == STAYED
    assert table.answered("s", "kato-1", SUSPECT_SECONDS) == SUSPECT
    assert table.answered("s", "kato-1", SUSPECT_SECONDS + 1) == STAYED
    assert table.answered("s", "kato-0", 2 * SUSPECT_SECONDS + 2) == MOVED


def test_a_quiet_session_is_forgotten() -> None:
    table = SessionTable()
    table.answered("s", "kato-0", 0)

    assert table.live(LIVE_SECONDS) == {"kato-0": 1}
    assert table.live(LIVE_SECONDS + 1) == {}
    assert table.answered("s", "kato-1", LIVE_SECONDS + 2) == STAYED


def test_the_quietest_session_makes_room_and_that_is_said() -> None:
    table = SessionTable(capacity=2)
    for session in "abc":
        table.answered(session, "kato-0", 0)

    assert (table.live(0), table.crowded_out) == ({"kato-0": 2}, 1)
    assert table.answered("a", "kato-1", 1) == STAYED
    assert table.answered("c", "kato-1", 1) == SUSPECT


def test_sessions_that_are_gone_anyway_are_not_crowded_out() -> None:
    table = SessionTable(capacity=1)
    table.answered("a", "kato-0", 0)
    table.answered("b", "kato-0", LIVE_SECONDS + 1)

    assert (table.live(LIVE_SECONDS + 1), table.crowded_out) == ({"kato-0": 1}, 0)
