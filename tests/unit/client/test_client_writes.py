"""What becomes of a write after each way in which it can fail, with the session as the judge."""

import asyncio
import dataclasses

import fake_kato as fake
import httpx
import pytest
from fake_kato import QUICK, URLS, FakeKato

from kato_balancing.client import (
    AsyncFailoverClient,
    NoInstance,
    OutOfTime,
    RetryBudgetSpent,
    ServerFailed,
    SessionHeld,
    SessionNotFound,
    StoreUnavailable,
    UnknownOutcome,
)

SHORT = dataclasses.replace(QUICK, deadline=0.2)


@pytest.fixture
def kato():
    return FakeKato()


def opened(kato, policy=QUICK):
    """A client, a session with one event, and the name of its owner."""
    client = kato.client(policy)
    session = client.attach(client.create_session("n"))
    session.observe(["first"])
    return client, session, client.owner(session.session_id)


def stored(kato, session):
    return kato.sessions[session.session_id]


@pytest.mark.parametrize(
    "fault",
    [
        fake.cut_before, fake.cut_after, fake.database_503_before, fake.database_503_after,
        fake.over_the_limit, fake.not_connected, fake.failed_after, fake.silent_after,
    ],
)  # fmt: skip
def test_an_observation_is_there_once(kato, fault):
    _, session, owner = opened(kato)
    kato.faults[owner] = [fault]

    answer = session.observe(["second"])

    assert stored(kato, session) == [["first"], ["second"]]
    assert answer["stm_length"] == 2
    assert session.observe(["third"])["stm_length"] == 3


@pytest.mark.parametrize("fault", [fake.cut_before, fake.cut_after])
def test_a_repeated_observation_is_there_as_often_as_it_was_made(kato, fault):
    """The same event again: only the length tells, as long as KATO does not learn by itself."""
    _, session, owner = opened(kato)
    kato.faults[owner] = [fault]

    session.observe(["first"])

    assert stored(kato, session) == [["first"], ["first"]]


def test_a_server_error_that_changed_nothing_says_so_and_is_not_repeated(kato):
    _, session, owner = opened(kato)
    kato.faults[owner] = [fake.failed_before]

    with pytest.raises(ServerFailed) as caught:
        session.observe(["second"])

    assert caught.value.happened is False
    assert caught.value.status == 500
    assert stored(kato, session) == [["first"]]
    assert sum(path.endswith("/observe") for _, _, path in kato.calls) == 2


def test_silence_is_not_repeated_but_reported(kato):
    _, session, owner = opened(kato, SHORT)
    kato.faults[owner] = [fake.silent_before]

    with pytest.raises(UnknownOutcome) as caught:
        session.observe(["second"])

    assert caught.value.happened is None
    assert isinstance(caught.value.__cause__, httpx.ReadTimeout)
    assert stored(kato, session) == [["first"]]


def test_after_silence_an_instance_that_answers_goes_on(kato):
    _, session, owner = opened(kato, SHORT)
    kato.faults[owner] = [fake.silent_before]
    with pytest.raises(UnknownOutcome):
        session.observe(["second"])

    assert session.observe(["third"], timeout=2)["stm_length"] == 2
    assert session.learn() == "PTRN|1"


def test_a_hanging_instance_holds_its_session(kato):
    """It could go on at any time and write back what it read before."""
    _, session, owner = opened(kato, SHORT)
    kato.hanging.add(owner)
    with pytest.raises(UnknownOutcome):
        session.observe(["second"])
    for other in set(fake.NAMES) - {owner}:
        kato.faults[other] = []

    with pytest.raises(SessionHeld) as caught:
        session.observe(["third"])

    assert caught.value.happened is False
    assert caught.value.instance == owner
    assert stored(kato, session) == [["first"]]
    assert session.stm() == [["first"]]  # another instance reads the same store


def test_a_session_is_free_when_its_instance_was_replaced(kato):
    _, session, owner = opened(kato, SHORT)
    kato.hanging.add(owner)
    with pytest.raises(UnknownOutcome):
        session.observe(["second"])

    kato.hanging.clear()
    kato.uptime[owner] = 0.0
    assert session.observe(["third"], timeout=2)["stm_length"] == 2


def test_a_session_is_free_when_it_shows_the_late_write(kato):
    _, session, owner = opened(kato, SHORT)
    kato.hanging.add(owner)
    with pytest.raises(UnknownOutcome):
        session.observe(["second"])

    stored(kato, session).append(["second"])
    kato.hanging.clear()
    kato.refusing.add(owner)
    assert session.observe(["third"], timeout=2)["stm_length"] == 3


def test_a_refused_connection_alone_is_no_proof_after_silence(kato):
    """A KATO that stops refuses connections and still ends what it has."""
    _, session, owner = opened(kato, SHORT)
    kato.faults[owner] = [fake.silent_before]
    with pytest.raises(UnknownOutcome):
        session.observe(["second"])
    kato.refusing.add(owner)

    with pytest.raises(SessionHeld):
        session.observe(["third"])


@pytest.mark.parametrize("late", [fake.silent_before])
def test_a_late_observation_keeps_the_session_at_its_instance(kato, late):
    _, session, owner = opened(kato, SHORT)
    kato.faults[owner] = [late]
    with pytest.raises(UnknownOutcome):
        session.observe(["second"])
    session.observe(["third"], timeout=2)  # its instance has passed over it
    kato.refusing.add(owner)

    with pytest.raises(SessionHeld):
        session.observe(["fourth"])
    assert {name for name, _, path in kato.calls if path.endswith("/observe")} == {owner}


def test_a_late_observation_that_looks_the_same_makes_the_next_undecidable(kato):
    _, session, owner = opened(kato, SHORT)
    kato.faults[owner] = [fake.silent_before]
    with pytest.raises(UnknownOutcome):
        session.observe(["same"])

    def fault(k, request):
        if request.url.path.endswith("/observe"):
            return fake.cut_after(k, request)
        k.faults[owner] = [fault]
        return k.serve(request)

    kato.faults[owner] = [fault]
    with pytest.raises(UnknownOutcome):
        session.observe(["same"], timeout=1)


def test_an_owner_that_is_down_is_left_only_when_nothing_is_open(kato):
    client, session, owner = opened(kato)
    kato.refusing.add(owner)

    assert session.observe(["second"])["stm_length"] == 2
    kato.refusing.clear()
    assert session.observe(["third"])["stm_length"] == 3
    assert client.owner(session.session_id) == owner


def test_a_kill_in_flight_is_decided_by_the_store(kato):
    _, session, owner = opened(kato)

    def killed(k, request):
        k.serve(request)
        k.refusing.add(owner)
        raise httpx.ReadError("reset")

    kato.faults[owner] = [killed]
    assert session.observe(["second"])["verified"] is True
    assert stored(kato, session) == [["first"], ["second"]]


@pytest.mark.parametrize("fault", [fake.cut_after, fake.cut_before, fake.failed_after])
def test_learn_happens_once(kato, fault):
    _, session, owner = opened(kato)
    session.observe(["second"])
    kato.faults[owner] = [fault]

    name = session.learn()

    assert stored(kato, session) == []
    assert name == ("PTRN|1" if fault is fake.cut_before else None)


@pytest.mark.parametrize("fault", [fake.cut_after, fake.cut_before])
def test_a_sequence_happens_once(kato, fault):
    _, session, owner = opened(kato)
    kato.faults[owner] = [fault]

    answer = session.observe_sequence([{"strings": ["a"]}, {"strings": ["b"]}])

    assert stored(kato, session) == [["first"], ["a"], ["b"]]
    assert answer["final_stm_length"] == 3


@pytest.mark.parametrize("fault", [fake.cut_before, fake.cut_after, fake.database_503_after])
def test_what_may_be_repeated_is_repeated(kato, fault):
    _, session, owner = opened(kato)
    kato.faults[owner] = [fault]

    session.clear_stm()

    assert stored(kato, session) == []


@pytest.mark.parametrize("fault", [fake.cut_before, fake.cut_after])
def test_a_deleted_session_is_deleted(kato, fault):
    _, session, owner = opened(kato)
    kato.faults[owner] = [fault]

    session.close()

    assert kato.sessions == {}


def test_what_can_not_be_seen_is_unknown(kato):
    """An observation of emotives only leaves no event."""
    _, session, owner = opened(kato)
    kato.faults[owner] = [fake.cut_before]
    with pytest.raises(UnknownOutcome):
        session.observe(emotives={"joy": 1.0})

    kato.faults[owner] = [fake.cut_after]
    with pytest.raises(UnknownOutcome):
        session.clear_all()


def test_a_memory_that_learns_by_itself_is_not_guessed(kato):
    kato.learns_at = 2
    _, session, owner = opened(kato)
    kato.faults[owner] = [fake.cut_after]

    with pytest.raises(UnknownOutcome):
        session.observe(["second"])
    assert session.observe(["third"])["stm_length"] == 1


def test_an_adopted_session_is_read_before_it_is_written(kato):
    client, session, owner = opened(kato)
    other = kato.client().attach(session.session_id)

    def fault(k, request):
        if request.method == "GET":
            k.faults[owner] = [fault]
            return k.serve(request)
        return fake.cut_after(k, request)

    kato.faults[owner] = [fault]
    assert other.observe(["second"])["verified"] is True
    client.close()


def test_a_session_that_is_gone(kato):
    _, session, _ = opened(kato)
    kato.sessions.clear()

    with pytest.raises(SessionNotFound):
        session.observe(["second"])
    with pytest.raises(SessionNotFound):
        session.stm()
    session.close()


def test_a_404_of_a_store_that_is_away_is_no_loss(kato):
    _, session, _ = opened(kato)
    kato.store_down = True

    for call in (lambda: session.observe(["second"]), session.stm):
        with pytest.raises(StoreUnavailable):
            call()
    kato.store_down = False
    assert session.observe(["second"])["stm_length"] == 2


def test_reads_fail_over(kato):
    _, session, owner = opened(kato)
    kato.faults[owner] = [fake.cut_before]
    assert session.stm() == [["first"]]
    kato.hanging.add(owner)
    assert session.stm() == [["first"]]


def test_creating_fails_over(kato):
    client = kato.client()
    kato.hanging.update(fake.NAMES[:2])
    assert client.create_session("n") in kato.sessions


def test_nobody_there(kato):
    client, session, _ = opened(kato)
    kato.refusing.update(fake.NAMES)

    for call in (lambda: session.observe(["x"]), session.stm, lambda: client.create_session("n")):
        with pytest.raises(NoInstance) as caught:
            call()
        assert isinstance(caught.value.__cause__, httpx.ConnectError)


def test_the_budget_ends_repeats(kato):
    policy = dataclasses.replace(QUICK, retry_reserve=1.0, retry_share=0.0)
    client = kato.client(policy)
    session = client.attach(client.create_session("n"))
    owner = client.owner(session.session_id)
    kato.faults[owner] = [fake.over_the_limit] * 3

    with pytest.raises(RetryBudgetSpent) as caught:
        session.observe(["x"])
    assert caught.value.happened is False


def test_retry_after_beyond_the_deadline(kato):
    _, session, owner = opened(kato)
    shed = httpx.Response(503, text="busy", headers={"Retry-After": "60"})
    kato.faults[owner] = [lambda _k, _r: shed]

    with pytest.raises(OutOfTime):
        session.observe(["second"])


def test_the_same_by_asyncio(kato):
    async def go():
        client = AsyncFailoverClient(URLS, QUICK, transport=kato.transport())
        async with client, client.session("n") as session:
            owner = client.owner(session.session_id)
            for fault in (fake.cut_before, fake.cut_after, fake.failed_after, fake.silent_after):
                kato.faults[owner] = [fault]
                await session.observe([fault.__name__])
            return await session.stm()

    assert asyncio.run(go()) == [["cut_before"], ["cut_after"], ["failed_after"], ["silent_after"]]


def test_a_cancelled_write_is_remembered():
    kato = FakeKato()
    reached = asyncio.Event()

    class Slow(httpx.AsyncBaseTransport):
        stuck = True

        async def handle_async_request(self, request):
            if request.url.path.endswith("/observe") and self.stuck:
                self.stuck = False
                reached.set()
                await asyncio.sleep(60)
            await request.aread()
            return kato.handle(request)

    async def go():
        async with AsyncFailoverClient(URLS, SHORT, transport=Slow()) as client:
            session = client.attach(await client.create_session("n"))
            task = asyncio.create_task(session.observe(["first"], timeout=30))
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            owner = client.owner(session.session_id)
            kato.hanging.add(owner)
            with pytest.raises(SessionHeld):
                await session.observe(["second"])
            kato.hanging.clear()
            return await session.observe(["second"], timeout=2)

    assert asyncio.run(go())["stm_length"] == 1


def test_through_a_balancer_a_502_is_verified(kato):
    policy = dataclasses.replace(QUICK, through_balancer=True)
    client = kato.client(policy, URLS[:1])
    session = client.attach(client.create_session("n"))
    bad_gateway = httpx.Response(502, text="<html>")
    for done in (True, False):

        def fault(k, request, done=done):
            if done:
                k.serve(request)
            return bad_gateway

        kato.faults["kato-0"] = [fault]
        session.observe([f"done {done}"])

    assert stored(kato, session) == [["done True"], ["done False"]]
