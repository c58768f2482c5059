"""Hysteresis, panic, listeners; checks at the same time, by threads and by asyncio."""

import asyncio
import threading
import time

import httpx
import pytest

from kato_balancing.client import AsyncHealthChecker, HealthChecker, HealthSettings
from kato_balancing.client._health_state import Check, HealthTable

OK, BAD = Check(True), Check(False, "HTTP 500")
URLS = [f"http://kato-{i}:8000" for i in range(3)]


@pytest.fixture
def table():
    return HealthTable(["a", "b"])


def test_it_takes_two_checks_either_way(table):
    changes = []
    table.listen(lambda name, up: changes.append((name, up)))
    for check, up in [(BAD, True), (OK, True), (BAD, True), (BAD, False), (OK, False), (OK, True)]:
        table.report("a", check)
        assert table.is_up("a") is up
    assert changes == [("a", False), ("a", True)]


def test_when_all_look_dead_all_are_used(table):
    for _ in range(2):
        table.report("a", BAD)
    assert table.healthy() == ["b"]
    for _ in range(2):
        table.report("b", BAD)
    assert table.panic
    assert table.healthy() == ["a", "b"]


def test_a_listener_that_fails_harms_nobody(table):
    heard = []
    table.listen(lambda _name, _up: 1 / 0)
    table.listen(lambda name, _up: heard.append(name))
    for _ in range(2):
        table.report("a", BAD)
    assert heard == ["a"]


def test_pauses(table):
    settings = table.settings
    assert table.pause("a", 0.5) == settings.interval
    assert table.pause("a", 0) < settings.interval < table.pause("a", 1)
    table.report("a", BAD)
    assert table.pause("a", 0.5) == settings.interval_failing
    table.report("a", BAD)
    assert table.pause("a", 0.5) == settings.interval_down


def handler(request):
    """kato-0 is busy beyond its limit, kato-1 calls itself unhealthy, kato-2 is gone."""
    if request.url.host == "kato-2":
        raise httpx.ConnectError("refused")
    if request.url.host == "kato-0":
        return httpx.Response(503, text="Service Unavailable")
    return httpx.Response(200, json={"status": "unhealthy"})


EXPECTED = {URLS[0]: False, URLS[1]: True, URLS[2]: False}


def test_only_the_status_counts():
    checker = HealthChecker(URLS, transport=httpx.MockTransport(handler))
    assert checker.run_checks() == dict.fromkeys(URLS, True)
    assert checker.run_checks() == EXPECTED
    assert checker.get_healthy_instances() == [URLS[1]]
    assert checker.check_instance(URLS[2]) is False


def test_only_the_status_counts_by_asyncio():
    async def go():
        checker = AsyncHealthChecker(URLS, transport=httpx.MockTransport(handler))
        await checker.run_checks()
        return await checker.run_checks()

    assert asyncio.run(go()) == EXPECTED


def test_checks_run_at_the_same_time():
    together = threading.Barrier(3, timeout=10)

    def wait(_request):
        together.wait()
        return httpx.Response(200)

    assert all(HealthChecker(URLS, transport=httpx.MockTransport(wait)).run_checks().values())


FAST = HealthSettings(interval=0.01, interval_failing=0.01, interval_down=0.01)


def test_in_the_background():
    gone = threading.Event()

    def flaky(_request):
        if gone.is_set():
            raise httpx.ConnectError("refused")
        return httpx.Response(200)

    changes: list[tuple[str, bool]] = []
    changed = threading.Event()
    checker = HealthChecker(URLS[:1], FAST, transport=httpx.MockTransport(flaky))
    checker.listen(lambda name, up: (changes.append((name, up)), changed.set()))
    with checker:
        gone.set()
        assert changed.wait(10)
        changed.clear()
        gone.clear()
        assert changed.wait(10)
    assert changes == [("kato-0", False), ("kato-0", True)]
    assert not [t for t in threading.enumerate() if t.name.startswith("health-kato")]


def test_in_the_background_by_asyncio():
    async def go():
        changed = asyncio.Event()
        checker = AsyncHealthChecker(URLS[2:], FAST, transport=httpx.MockTransport(handler))
        checker.listen(lambda _name, _up: changed.set())
        async with checker:
            await asyncio.wait_for(changed.wait(), 10)
        return checker.health_status

    assert asyncio.run(go()) == {URLS[2]: False}


def test_a_hang_is_noticed_within_the_timeout():
    """The limit is the check's own; nothing here waits for the sleep's end."""
    settings = HealthSettings(timeout=0.05)

    class Hangs(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _request):
            await asyncio.sleep(60)
            raise AssertionError

    async def go():
        checker = AsyncHealthChecker(URLS, settings, transport=Hangs())
        began = time.monotonic()
        await checker.run_checks()
        await checker.run_checks()
        assert time.monotonic() - began < 30
        return checker.health_status

    assert asyncio.run(go()) == dict.fromkeys(URLS, False)
