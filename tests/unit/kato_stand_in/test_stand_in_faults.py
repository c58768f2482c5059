"""Faults on order, as far as they need no real connection."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from dev.kato_stand_in.environment import Settings, settings_from
from dev.kato_stand_in.faults import Fault

pytestmark = pytest.mark.anyio


async def order(kato: httpx.AsyncClient, **fault: Any) -> None:
    assert (await kato.post("/_stand_in/fault", json=fault)).status_code == 200


async def observe(kato: httpx.AsyncClient, session: str) -> int:
    return (await kato.post(f"{session}/observe", json={"strings": ["a"]})).status_code


async def length(kato: httpx.AsyncClient, session: str) -> int:
    return int((await kato.get(f"{session}/stm")).json()["length"])


@pytest.mark.parametrize(("kind", "stored"), [("fail_before", 0), ("fail_after", 1)])
async def test_failures_before_and_after_the_change(
    kato: httpx.AsyncClient, session: str, kind: str, stored: int
) -> None:
    await order(kato, kind=kind, count=1)
    answer = await kato.post(f"{session}/observe", json={"strings": ["a"]})
    assert answer.status_code == 500
    assert answer.text == "Internal Server Error"
    assert "x-stand-in" in answer.headers
    assert await length(kato, session) == stored


async def test_a_count_runs_out(kato: httpx.AsyncClient, session: str) -> None:
    await order(kato, kind="fail_before", count=2)
    assert [await observe(kato, session) for _ in range(3)] == [500, 500, 200]


async def test_probes_neither_suffer_nor_count(kato: httpx.AsyncClient, session: str) -> None:
    await order(kato, kind="fail_before", count=1)
    for path in ("/health", f"{session}/exists", "/_stand_in/fault"):
        assert (await kato.get(path)).status_code == 200
    assert (await kato.get("/_stand_in/fault")).json()["count"] == 1
    assert await observe(kato, session) == 500


async def test_without_a_count_it_lasts_until_none(kato: httpx.AsyncClient, session: str) -> None:
    await order(kato, kind="fail_before")
    assert [await observe(kato, session) for _ in range(3)] == [500] * 3
    await order(kato, kind="none")
    assert await observe(kato, session) == 200


@pytest.mark.parametrize("kind", ["slow", "block"])
async def test_delays_still_serve(kato: httpx.AsyncClient, session: str, kind: str) -> None:
    await order(kato, kind=kind, seconds=0.01)
    assert await observe(kato, session) == 200


async def test_unknown_kinds_are_refused(kato: httpx.AsyncClient) -> None:
    answer = await kato.post("/_stand_in/fault", json={"kind": "explode"})
    assert answer.status_code == 422


async def test_a_fault_from_the_environment(
    instance: Callable[..., Any], settings: Settings
) -> None:
    environment = {"STAND_IN_FAULT": "fail_before", "STAND_IN_FAULT_COUNT": "1"}
    fault = settings_from(environment).fault
    assert fault == Fault("fail_before", 0.0, 1)
    kato = await instance(settings=replace(settings, fault=fault))
    assert (await kato.get("/sessions/any/stm")).status_code == 500
    assert (await kato.get("/sessions/any/stm")).status_code == 404
