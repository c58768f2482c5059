"""The calls that watch the server, and what differs between releases."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from dev.kato_stand_in.environment import Settings
from dev.kato_stand_in.release import profile_for

pytestmark = pytest.mark.anyio

HEALTH = {
    "status",
    "processor_status",
    "service_name",
    "uptime_seconds",
    "issues",
    "metrics_collected",
    "last_collection",
    "active_sessions",
    "timestamp",
}


@pytest.mark.parametrize(
    ("release", "keys"), [("3.10.1", HEALTH), ("5.0.0", HEALTH | {"worker_pid"})]
)
async def test_health_keys(
    instance: Callable[..., Any], settings: Settings, release: str, keys: set[str]
) -> None:
    kato = await instance(settings=replace(settings, profile=profile_for(release)))
    assert (await kato.get("/health")).json().keys() == keys


@pytest.mark.parametrize(("release", "status"), [("3.10.1", 404), ("3.10.2", 200)])
async def test_prometheus_format(
    instance: Callable[..., Any], settings: Settings, release: str, status: int
) -> None:
    kato = await instance(settings=replace(settings, profile=profile_for(release)))
    answer = await kato.get("/metrics-prom")
    assert answer.status_code == status
    assert ("kato_requests_total" in answer.text) == (status == 200)


async def test_status_gives_the_redis_url_away(
    instance: Callable[..., Any], settings: Settings
) -> None:
    url = "redis://:secret@redis:6379/0"
    kato = await instance(settings=replace(settings, redis_url=url, service_name="mine"))
    body = (await kato.get("/status")).json()
    assert body["sessions"]["redis_url"] == url
    assert body["base_processor_id"] == "mine"


async def test_root(kato: httpx.AsyncClient) -> None:
    body = (await kato.get("/")).json()
    assert body.keys() == {"service", "version", "docs", "health", "status", "uptime_seconds"}
    assert (body["status"], body["version"]) == ("running", "6.3.0")


async def test_metrics_are_json_and_cached(kato: httpx.AsyncClient) -> None:
    first = (await kato.get("/metrics")).json()
    await kato.get("/health")
    assert (await kato.get("/metrics")).json() == first


@pytest.mark.parametrize(
    "path",
    ["/connection-pools", "/stats", "/concurrency", "/cache/stats", "/docs", "/openapi.json"],
)
async def test_other_calls_answer(kato: httpx.AsyncClient, path: str) -> None:
    assert (await kato.get(path)).status_code == 200


@pytest.mark.parametrize("release", ["latest", "", "6.x", "1.2.3.4", "-1"])
def test_what_is_no_release(release: str) -> None:
    with pytest.raises(ValueError, match="not a release"):
        profile_for(release)
