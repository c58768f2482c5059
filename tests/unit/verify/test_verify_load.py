"""The steady load: what it counts, what it remembers, how it ends."""

import asyncio
import json
import socket
import time

import pytest
from fake_balancer import FakeBalancer, Fault, served

from kato_balancing.verify import OptionError, load_client
from kato_balancing.verify.load import LoadError, SteadyLoad
from kato_balancing.verify.load_report import Latency, latency_of


def until(condition) -> None:
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit, "what was waited for did not happen within 10 s"
        time.sleep(0.01)


def loaded(*faults: Fault, requests: int = 60, **options):
    balancer = FakeBalancer(*faults)
    with served(balancer) as url:
        with SteadyLoad(url, clients=4, **options) as load:
            until(lambda: load.report().requests >= requests)
            load.mark("scale out")
        return load.report(), load.lost(), load.delete_sessions(), balancer


def test_a_sound_balancer_loses_nothing():
    report, lost, left, balancer = loaded()
    assert report.failed == 0
    assert report.failures == ()
    assert 1 <= report.in_flight_max <= 4
    assert report.sessions == 4
    assert report.ended is None
    assert report.methods.keys() == {"GET", "POST", "POST /sessions"}
    assert sum(report.servers.values()) == report.requests
    assert report.servers.keys() <= {"kato-0", "kato-1", "kato-2"}
    assert report.methods["POST"].ok == report.acknowledged == lost.acknowledged
    assert (lost.lost, lost.doubled, lost.foreign) == ((), (), ())
    assert left is None
    assert balancer.memories == {}
    (mark,) = report.marks
    assert mark.event == "scale out"
    assert 0 < mark.at <= report.seconds
    assert json.loads(json.dumps(report.to_dict()))["requests"] == report.requests
    assert list(lost.to_dict())[:3] == ["acknowledged", "lost", "doubled"]


def test_failures_are_listed_with_their_tokens_and_never_repeated():
    report, lost, _, _ = loaded("502 now and then", post_share=1.0)
    assert report.failed > 0
    assert report.methods["POST"].kinds == {"502": report.failed}
    assert report.failures_between(0, report.seconds) == report.failures
    for failure in report.failures:
        assert failure.kind == "502"
        assert failure.path.endswith("/observe")
        assert failure.token
    assert (lost.lost, lost.doubled, lost.unacknowledged_present) == ((), (), ())


def test_an_observation_that_failed_but_was_stored_is_not_lost():
    report, lost, _, _ = loaded("502 after storing", post_share=1.0)
    assert sorted(lost.unacknowledged_present) == sorted(f.token for f in report.failures)
    assert lost.lost == ()


def test_stored_twice_is_found():
    _, lost, _, _ = loaded("stores twice", post_share=1.0)
    assert lost.doubled


def test_a_full_session_is_left_for_a_new_one(monkeypatch):
    monkeypatch.setattr(load_client, "OBSERVATIONS_PER_SESSION", 5)
    report, lost, _, balancer = loaded(post_share=1.0)
    assert report.sessions > 4
    assert report.sessions == lost.sessions == len(balancer.deleted)
    assert lost.lost == ()


def test_a_memory_that_cannot_be_read_is_an_error_not_a_zero():
    balancer = FakeBalancer("memory unreadable")
    with served(balancer) as url:
        with SteadyLoad(url, clients=1) as load:
            until(lambda: load.report().acknowledged)
        with pytest.raises(LoadError, match="1 of 1 sessions could not be read"):
            load.lost()


def test_a_load_cannot_begin_where_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        load = SteadyLoad(f"http://127.0.0.1:{taken.getsockname()[1]}", clients=2)
        with pytest.raises(LoadError, match=r"did not begin.*ConnectError"):
            load.start()


@pytest.mark.parametrize(
    ("limits", "words"),
    [({"max_requests": 30}, "max_requests = 30"), ({"max_seconds": 0.3}, "max_seconds = 0.3")],
)
def test_a_load_that_ends_by_itself_says_so(limits, words):
    with served(FakeBalancer()) as url:
        load = SteadyLoad(url, clients=2, **limits)
        load.start()
        until(lambda: load.report().ended)
        with pytest.raises(LoadError, match=words):
            load.stop()
        with pytest.raises(LoadError, match=words):
            load.mark("too late")
        assert words in load.report().ended
        assert load.lost().lost == ()


def test_an_error_inside_the_block_comes_out_with_the_loads_own_as_a_note():
    def fail_under_load(url: str) -> None:
        with SteadyLoad(url, clients=1, max_requests=2) as load:
            until(lambda: load.report().ended)
            raise ZeroDivisionError

    with served(FakeBalancer()) as url, pytest.raises(ZeroDivisionError) as raised:
        fail_under_load(url)
    assert "max_requests = 2" in raised.value.__notes__[0]


def test_what_needs_the_end_waits_for_it():
    load = SteadyLoad("http://127.0.0.1:1")
    for early in (load.report, load.stop, load.lost, load.delete_sessions):
        with pytest.raises(LoadError):
            early()
    with served(FakeBalancer()) as url, SteadyLoad(url, clients=1) as running:
        with pytest.raises(LoadError, match="stopped first"):
            running.lost()
        with pytest.raises(LoadError, match="started once"):
            running.start()


def test_it_can_be_used_from_asynchronous_code():
    async def use(url: str) -> int:
        load = SteadyLoad(url, clients=2, think_time=0.001)
        await asyncio.to_thread(load.start)
        await asyncio.sleep(0.05)
        await asyncio.to_thread(load.stop)
        return load.report().failed + len(load.lost().lost)

    with served(FakeBalancer()) as url:
        assert asyncio.run(use(url)) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"clients": 0},
        {"post_share": 1.1},
        {"think_time": -2},
        {"timeout": 0},
        {"max_seconds": 0},
        {"max_requests": 0},
        {"url": "nowhere"},
    ],
)
def test_unusable_values_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        SteadyLoad(**{"url": "http://127.0.0.1:1", **options})


def test_percentiles_are_of_the_nearest_rank():
    assert latency_of([]) is None
    assert latency_of([0.5]) == Latency(0.5, 0.5, 0.5, 0.5)
    assert latency_of([n / 100 for n in range(100, 0, -1)]) == Latency(0.5, 0.95, 0.99, 1.0)
