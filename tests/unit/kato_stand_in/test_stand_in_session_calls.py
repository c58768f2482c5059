"""Shapes and status codes of the calls under /sessions."""

import re
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

UNKNOWN = "session-00000000000000000000000000000000-0"


async def test_create(kato: httpx.AsyncClient) -> None:
    answer = await kato.post("/sessions", json={"node_id": "n", "metadata": {"a": 1}})
    body = answer.json()
    assert answer.status_code == 200
    assert "x-session-id" not in answer.headers
    assert re.fullmatch(r"session-[0-9a-f]{32}-\d{13}", body["session_id"])
    assert body["created_at"].endswith("+00:00")
    assert body["expires_at"] > body["created_at"]
    assert (body["node_id"], body["ttl_seconds"], body["metadata"]) == ("n", 3600, {"a": 1})
    assert isinstance(body["session_config"], dict)


async def test_create_without_node(kato: httpx.AsyncClient) -> None:
    answer = await kato.post("/sessions", json={})
    missing = {"type": "missing", "loc": ["body", "node_id"], "msg": "Field required", "input": {}}
    assert answer.status_code == 422
    assert answer.json() == {"detail": [missing]}


async def test_get(kato: httpx.AsyncClient, session: str) -> None:
    answer = await kato.get(session)
    created = await kato.post("/sessions", json={"node_id": "n"})
    assert answer.status_code == 200
    assert answer.json().keys() == created.json().keys()
    assert "x-session-id" not in answer.headers
    assert 3590 <= answer.json()["ttl_seconds"] <= 3600


async def test_get_unknown(kato: httpx.AsyncClient) -> None:
    answer = await kato.get(f"/sessions/{UNKNOWN}")
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"Session {UNKNOWN} not found or expired"}


async def test_exists(kato: httpx.AsyncClient, session: str) -> None:
    known = session.removeprefix("/sessions/")
    for session_id, there in ((known, True), (UNKNOWN, False)):
        answer = await kato.get(f"/sessions/{session_id}/exists")
        assert answer.status_code == 200
        assert answer.json() == {"exists": there, "expired": False, "session_id": session_id}
        assert "x-session-id" not in answer.headers


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("GET", "/stm"),
        ("GET", "/config"),
        ("GET", "/predictions"),
        ("POST", "/observe"),
        ("POST", "/learn"),
        ("POST", "/extend"),
        ("GET", "/no-such-call"),
        ("DELETE", ""),
    ],
)
async def test_unknown_session(kato: httpx.AsyncClient, method: str, call: str) -> None:
    answer = await kato.request(method, f"/sessions/{UNKNOWN}{call}")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {
            "code": "SESSION_NOT_FOUND",
            "message": f"Session {UNKNOWN} not found or expired",
            "session_id": UNKNOWN,
        }
    }
    assert "x-session-id" not in answer.headers


async def test_the_word_test_is_taken_for_a_session(kato: httpx.AsyncClient) -> None:
    answer = await kato.get("/sessions/test/anything")
    assert answer.status_code == 404
    assert answer.json()["error"]["session_id"] == "test"


async def test_observe_and_stm(kato: httpx.AsyncClient, session: str) -> None:
    answer = await kato.post(f"{session}/observe", json={"strings": ["b", "a"]})
    body = answer.json()
    assert answer.headers["x-session-id"] == session.removeprefix("/sessions/")
    assert re.fullmatch(r"obs-[0-9a-f]{32}", body.pop("unique_id"))
    assert body == {
        "status": "okay",
        "session_id": session.removeprefix("/sessions/"),
        "processor_id": "node",
        "stm_length": 1,
        "time": 1,
        "auto_learned_pattern": None,
    }
    stm = await kato.get(f"{session}/stm")
    assert stm.json() == {"stm": [["a", "b"]], "session_id": body["session_id"], "length": 1}
    assert stm.headers["x-session-id"] == body["session_id"]


async def test_an_empty_observation_only_advances_the_time(
    kato: httpx.AsyncClient, session: str
) -> None:
    body = (await kato.post(f"{session}/observe", json={})).json()
    assert (body["stm_length"], body["time"]) == (0, 1)


async def test_a_vector_makes_an_event(kato: httpx.AsyncClient, session: str) -> None:
    body = (await kato.post(f"{session}/observe", json={"vectors": [[0.5, 1.0]]})).json()
    assert body["stm_length"] == 1


async def test_learn(kato: httpx.AsyncClient, session: str) -> None:
    for symbol in ("a", "b"):
        await kato.post(f"{session}/observe", json={"strings": [symbol]})
    answer = await kato.post(f"{session}/learn")
    assert answer.status_code == 200
    assert answer.json()["status"] == "learned"
    assert answer.json()["session_id"] == session.removeprefix("/sessions/")
    assert re.fullmatch(r"PTRN\|[0-9a-f]{40}", answer.json()["pattern_name"])
    again = await kato.post(f"{session}/learn")
    assert again.status_code == 400
    assert again.json() == {"detail": "Cannot learn from empty STM"}


async def test_one_event_is_cleared_without_a_pattern(
    kato: httpx.AsyncClient, session: str
) -> None:
    await kato.post(f"{session}/observe", json={"strings": ["a"]})
    assert (await kato.post(f"{session}/learn")).json()["pattern_name"] == ""
    assert (await kato.get(f"{session}/stm")).json()["length"] == 0


async def test_automatic_learning(kato: httpx.AsyncClient, session: str) -> None:
    await kato.post(f"{session}/config", json={"max_pattern_length": 2, "stm_mode": "ROLLING"})
    first, second = [
        (await kato.post(f"{session}/observe", json={"strings": [symbol]})).json()
        for symbol in ("a", "b")
    ]
    assert first["auto_learned_pattern"] is None
    assert second["auto_learned_pattern"].startswith("PTRN|")
    assert second["stm_length"] == 1


async def test_sequence(kato: httpx.AsyncClient, session: str) -> None:
    items = [{"strings": ["a"]}, {"strings": ["b"]}]
    order: dict[str, Any] = {"observations": items, "learn_at_end": True}
    body = (await kato.post(f"{session}/observe-sequence", json=order)).json()
    results = body.pop("results")
    pattern = body.pop("final_learned_pattern")
    assert pattern.startswith("PTRN|")
    assert [(r["sequence_position"], r["stm_length"], r["time"]) for r in results] == [
        (0, 1, 1),
        (1, 2, 2),
    ]
    assert body == {
        "status": "completed",
        "processor_id": "node",
        "observations_processed": 2,
        "initial_stm_length": 0,
        "final_stm_length": 0,
        "auto_learned_patterns": [pattern],
        "isolated": False,
    }


async def test_empty_sequence(kato: httpx.AsyncClient, session: str) -> None:
    answer = await kato.post(f"{session}/observe-sequence", json={"observations": []})
    assert answer.status_code == 200
    assert answer.json()["results"] == []


async def test_clear(kato: httpx.AsyncClient, session: str) -> None:
    session_id = session.removeprefix("/sessions/")
    await kato.post(f"{session}/observe", json={"strings": ["a"]})
    cleared = await kato.post(f"{session}/clear-stm")
    assert cleared.json() == {"status": "cleared", "session_id": session_id}
    assert (await kato.get(f"{session}/stm")).json()["length"] == 0
    everything = await kato.post(f"{session}/clear-all")
    assert everything.json() == {"status": "cleared", "session_id": session_id, "scope": "all"}


async def test_config(kato: httpx.AsyncClient, session: str) -> None:
    session_id = session.removeprefix("/sessions/")
    answer = await kato.post(f"{session}/config", json={"config": {"persistence": 9}})
    assert answer.json() == {
        "status": "okay",
        "message": "Configuration updated",
        "session_id": session_id,
    }
    config = (await kato.get(f"{session}/config")).json()
    assert config["session_id"] == session_id
    assert config["config"]["persistence"] == 9


async def test_bad_config(kato: httpx.AsyncClient, session: str) -> None:
    answer = await kato.post(f"{session}/config", json={"config": {"persistence": 0}})
    detail = answer.json()["detail"]
    assert answer.status_code == 400
    assert detail["error"] == "Configuration validation failed"
    assert list(detail["validation_errors"]) == ["persistence"]


async def test_predictions(kato: httpx.AsyncClient, session: str) -> None:
    body = (await kato.get(f"{session}/predictions")).json()
    assert body.keys() == {"predictions", "future_potentials", "session_id", "count"}


async def test_delete(kato: httpx.AsyncClient, session: str) -> None:
    answer = await kato.delete(session)
    assert answer.status_code == 200
    assert answer.json()["status"] == "deleted"
    assert (await kato.get(f"{session}/exists")).json()["exists"] is False


async def test_count_is_cached(kato: httpx.AsyncClient) -> None:
    counts = []
    for _ in range(2):
        counts.append((await kato.get("/sessions/count")).json())
        await kato.post("/sessions", json={"node_id": "n"})
    assert counts == [{"active_session_count": 0}] * 2
