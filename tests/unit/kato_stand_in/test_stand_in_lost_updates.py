"""The reason for affinity: what overlapping calls of one session lose, and what they do not."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from dev.kato_stand_in.environment import Settings

pytestmark = pytest.mark.anyio

OVERLAPPING = 40

CONFIG: dict[str, Any] = {
    "max_pattern_length": 50,
    "persistence": 7,
    "recall_threshold": 0.9,
    "stm_mode": "ROLLING",
    "indexer_type": "LSH",
    "max_predictions": 3,
    "sort_symbols": False,
    "process_predictions": False,
    "use_token_matching": False,
    "rank_sort_algo": "evidence",
    "fuzzy_token_threshold": 0.5,
    "jaccard_threshold": 0.8,
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, work=(0.005, 0.010), first_touch=0.110)


async def observe_all(clients: list[httpx.AsyncClient], session: str) -> int:
    """Send overlapping observations to the clients in turn; the length of the memory after."""
    answers = await asyncio.gather(
        *(
            clients[n % len(clients)].post(f"{session}/observe", json={"strings": [f"s{n}"]})
            for n in range(OVERLAPPING)
        )
    )
    assert [answer.status_code for answer in answers] == [200] * OVERLAPPING
    return int((await clients[0].get(f"{session}/stm")).json()["length"])


async def test_one_process_loses_nothing(kato: httpx.AsyncClient, session: str) -> None:
    assert await observe_all([kato], session) == OVERLAPPING


async def test_one_process_without_redis_loses_nothing(instance: Callable[..., Any]) -> None:
    kato = await instance(redis=None)
    created = await kato.post("/sessions", json={"node_id": "node"})
    assert await observe_all([kato], f"/sessions/{created.json()['session_id']}") == OVERLAPPING


async def test_two_processes_lose_acknowledged_observations(
    kato: httpx.AsyncClient, instance: Callable[..., Any], session: str
) -> None:
    assert 1 <= await observe_all([kato, await instance()], session) < OVERLAPPING


async def test_requests_that_hop_one_after_the_other_lose_nothing(
    kato: httpx.AsyncClient, instance: Callable[..., Any], session: str
) -> None:
    clients = [kato, await instance()]
    for n in range(4):
        answer = await clients[n % 2].post(f"{session}/observe", json={"strings": ["s"]})
        assert answer.json()["stm_length"] == n + 1


async def test_overlapping_config_changes_are_lost_on_one_process(
    kato: httpx.AsyncClient, session: str
) -> None:
    answers = await asyncio.gather(
        *(
            kato.post(f"{session}/config", json={"config": {name: value}})
            for name, value in CONFIG.items()
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    stored = (await kato.get(f"{session}/config")).json()["config"]
    assert 1 <= sum(stored[name] == value for name, value in CONFIG.items()) < len(CONFIG)


async def test_learn_reads_before_it_waits_for_the_lock(
    kato: httpx.AsyncClient, session: str
) -> None:
    for symbol in ("a", "b"):
        await kato.post(f"{session}/observe", json={"strings": [symbol]})
    _, learned = await asyncio.gather(
        kato.post(f"{session}/observe", json={"strings": ["lost"]}),
        kato.post(f"{session}/learn"),
    )
    assert learned.json()["message"].endswith("from 2 events")
    assert (await kato.get(f"{session}/stm")).json()["stm"] == []
