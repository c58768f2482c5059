"""The calls under /sessions."""

import uuid
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, Field

from . import session_config
from .headers import session_not_found
from .parts import ClickhouseDown, Parts, PartsHere
from .sessions import SessionDocument
from .work import pattern_name

Answer = dict[str, Any]

router = APIRouter(prefix="/sessions")


class NewSession(BaseModel):
    """Body of POST /sessions."""

    node_id: str
    config: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    ttl_seconds: int | None = None


class Observation(BaseModel):
    """Body of observe, and one item of observe-sequence."""

    strings: list[str] = Field(default_factory=list)
    vectors: list[list[float]] = Field(default_factory=list)
    emotives: dict[str, float] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    unique_id: str | None = None


class ObservationSequence(BaseModel):
    """Body of observe-sequence."""

    observations: list[Observation]
    learn_after_each: bool = False
    learn_at_end: bool = False
    clear_stm_between: bool = False


@router.post("")
async def create_session(body: NewSession, parts: PartsHere) -> Answer:
    """Make a session."""
    _refuse_bad(body.config or {})
    document = await parts.sessions.create(
        node_id=body.node_id,
        config=session_config.known(body.config or {}),
        metadata=body.metadata or {},
        ttl_seconds=body.ttl_seconds,
    )
    await parts.events.publish("session.created", _event_data(document))
    return _session_answer(document, document["ttl_seconds"], parts)


@router.get("/count")
async def count_sessions(parts: PartsHere) -> Answer:
    """The number of sessions, up to SESSION_COUNT_CACHE_TTL_SECONDS old."""
    return {"active_session_count": await parts.session_count.get()}


@router.get("/{session_id}/exists")
async def session_exists(session_id: str, parts: PartsHere) -> Answer:
    """One look into the storage, without any effect on the session."""
    there = await parts.sessions.exists(session_id)
    return {"exists": there, "expired": False, "session_id": session_id}


@router.get("/{session_id}")
async def get_session(session_id: str, parts: PartsHere) -> Answer:
    """The session; ttl_seconds is what remains."""
    document = await _load(parts, session_id)
    return _session_answer(document, parts.sessions.remaining(document), parts)


@router.delete("/{session_id}", response_model=None)
async def delete_session(session_id: str, parts: PartsHere) -> Answer | Response:
    """End a session."""
    document = await parts.sessions.load(session_id)
    if document is None or not await parts.sessions.delete(session_id):
        return session_not_found(session_id)
    await parts.events.publish("session.destroyed", _event_data(document))
    return {"status": "deleted", "session_id": session_id}


@router.get("/{session_id}/config")
async def get_config(session_id: str, parts: PartsHere) -> Answer:
    """The configuration in force."""
    document = await _load(parts, session_id)
    return {"session_id": session_id, "config": parts.work.config_of(document)}


@router.post("/{session_id}/config")
async def update_config(session_id: str, body: dict[str, Any], parts: PartsHere) -> Answer:
    """Change configuration fields. No lock, as in KATO: overlapping changes are lost."""
    document = await _load(parts, session_id)
    config = body.get("config", body)
    if not isinstance(config, dict):
        raise HTTPException(422, "config must be an object")
    _refuse_bad(config)
    await parts.work.one_unlocked_change()
    document["session_config"].update(session_config.known(config))
    await parts.sessions.save(document)
    return {"status": "okay", "message": "Configuration updated", "session_id": session_id}


@router.post("/{session_id}/extend")
async def extend_session(session_id: str, parts: PartsHere, ttl_seconds: int = 3600) -> Answer:
    """Set the TTL, in seconds, until the next access. No lock, as in KATO."""
    document = await _load(parts, session_id)
    await parts.work.one_unlocked_change()
    await parts.sessions.extend(document, ttl_seconds)
    return {"status": "extended", "session_id": session_id, "ttl_seconds": ttl_seconds}


@router.get("/{session_id}/stm")
async def get_stm(session_id: str, parts: PartsHere) -> Answer:
    """The short-term memory."""
    stm = (await _load(parts, session_id))["stm"]
    return {"stm": stm, "session_id": session_id, "length": len(stm)}


@router.post("/{session_id}/observe")
async def observe(
    session_id: str, body: Observation, parts: PartsHere, clickhouse_down: ClickhouseDown
) -> Answer:
    """Append one event: read, work and write under this process's lock."""
    async with parts.sessions.lock(session_id):
        document = await _load(parts, session_id)
        await parts.work.prepare(document["node_id"], clickhouse_down)
        await parts.work.one_observation()
        learned = parts.work.observe(document, body.strings, body.vectors)
        await parts.sessions.save(document)
        await parts.sessions.exists(session_id)
    return {
        "status": "okay",
        "session_id": session_id,
        "processor_id": document["node_id"],
        "stm_length": len(document["stm"]),
        "time": document["time"],
        "unique_id": f"obs-{uuid.uuid4().hex}",
        "auto_learned_pattern": learned,
    }


@router.post("/{session_id}/observe-sequence")
async def observe_sequence(
    session_id: str,
    body: ObservationSequence,
    parts: PartsHere,
    clickhouse_down: ClickhouseDown,
) -> Answer:
    """Append many events: one read at the start, one write at the end, under the lock."""
    results: list[Answer] = []
    learned: list[str] = []
    final: str | None = None
    async with parts.sessions.lock(session_id):
        document = await _load(parts, session_id)
        initial_length = len(document["stm"])
        if body.observations:
            await parts.work.prepare(document["node_id"], clickhouse_down)
            for position, item in enumerate(body.observations):
                if body.clear_stm_between and position:
                    document["stm"] = []
                results.append(await _sequence_item(parts, document, position, item))
                if automatic := results[-1]["auto_learned_pattern"]:
                    learned.append(automatic)
                if body.learn_after_each and document["stm"]:
                    learned.append(_learn(document))
                    results[-1]["stm_length"] = 0
            if body.learn_at_end and document["stm"]:
                final = _learn(document)
                learned.append(final)
            await parts.sessions.save(document)
    return {
        "status": "completed",
        "processor_id": document["node_id"],
        "observations_processed": len(results),
        "initial_stm_length": initial_length,
        "final_stm_length": len(document["stm"]),
        "results": results,
        "auto_learned_patterns": learned,
        "final_learned_pattern": final,
        "isolated": body.clear_stm_between,
    }


async def _sequence_item(
    parts: Parts, document: SessionDocument, position: int, item: Observation
) -> Answer:
    await parts.work.one_sequence_item()
    automatic = parts.work.observe(document, item.strings, item.vectors)
    return {
        "status": "okay",
        "sequence_position": position,
        "stm_length": len(document["stm"]),
        "time": document["time"],
        "unique_id": item.unique_id or f"seq-obs-{uuid.uuid4().hex}",
        "auto_learned_pattern": automatic,
    }


@router.post("/{session_id}/learn")
async def learn(session_id: str, parts: PartsHere, clickhouse_down: ClickhouseDown) -> Answer:
    """Make a pattern of the short-term memory and empty it."""
    # The read comes before the lock, as in KATO: an observation in between is lost.
    document = await _load(parts, session_id)
    if not document["stm"]:
        raise HTTPException(400, "Cannot learn from empty STM")
    await parts.work.prepare(document["node_id"], clickhouse_down)
    async with parts.sessions.lock(session_id):
        events = len(document["stm"])
        await parts.work.one_observation()
        name = _learn(document)
        await parts.sessions.save(document)
    return {
        "status": "learned",
        "pattern_name": name,
        "session_id": session_id,
        "message": f"Learned pattern {name} from {events} events",
    }


@router.post("/{session_id}/finalize-training")
async def finalize_training(session_id: str, parts: PartsHere) -> Answer:
    """Nothing to compute without a knowledge base."""
    document = await _load(parts, session_id)
    return {
        "status": "completed",
        "patterns_processed": 0,
        "time_ms": 0,
        "session_id": session_id,
        "node_id": document["node_id"],
        "message": "No patterns to process",
    }


@router.post("/{session_id}/clear-stm")
async def clear_stm(session_id: str, parts: PartsHere) -> Answer:
    """Empty the short-term memory. No lock, as in KATO."""
    await _clear(parts, session_id)
    return {"status": "cleared", "session_id": session_id}


@router.post("/{session_id}/clear-all")
async def clear_all(session_id: str, parts: PartsHere) -> Answer:
    """Empty the short-term memory; there is no knowledge here that could be wiped."""
    await _clear(parts, session_id)
    return {"status": "cleared", "session_id": session_id, "scope": "all"}


@router.get("/{session_id}/predictions")
async def predictions(session_id: str, parts: PartsHere) -> Answer:
    """No predictions: there is no knowledge. Waits for the lock as KATO does."""
    async with parts.sessions.lock(session_id):
        await _load(parts, session_id)
    return {"predictions": [], "future_potentials": [], "session_id": session_id, "count": 0}


@router.get("/{session_id}/percept-data")
async def percept_data(session_id: str, parts: PartsHere) -> Answer:
    """The last percept, always empty here."""
    document = await _load(parts, session_id)
    return {"percept_data": {}, "session_id": session_id, "node_id": document["node_id"]}


@router.get("/{session_id}/cognition-data")
async def cognition_data(session_id: str, parts: PartsHere) -> Answer:
    """The short-term memory as cognition data."""
    document = await _load(parts, session_id)
    cognition = {"short_term_memory": document["stm"], "predictions": []}
    return {"cognition_data": cognition, "session_id": session_id, "node_id": document["node_id"]}


async def _load(parts: Parts, session_id: str) -> SessionDocument:
    document = await parts.sessions.load(session_id)
    if document is None:
        raise HTTPException(404, f"Session {session_id} not found or expired")
    return document


async def _clear(parts: Parts, session_id: str) -> None:
    document = await _load(parts, session_id)
    await parts.work.one_unlocked_change()
    document["stm"] = []
    await parts.sessions.save(document)


def _learn(document: SessionDocument) -> str:
    name = pattern_name(document["stm"])
    document["stm"] = []
    return name


def _refuse_bad(config: dict[str, Any]) -> None:
    if errors := session_config.complaints(config):
        detail = {"error": "Configuration validation failed", "validation_errors": errors}
        raise HTTPException(400, detail)


def _session_answer(document: SessionDocument, ttl_seconds: int, parts: Parts) -> Answer:
    return {
        "session_id": document["session_id"],
        "node_id": document["node_id"],
        "created_at": document["created_at"],
        "expires_at": document["expires_at"],
        "ttl_seconds": ttl_seconds,
        "metadata": document["metadata"],
        "session_config": parts.work.config_of(document),
    }


def _event_data(document: SessionDocument) -> Answer:
    return {"session_id": document["session_id"], "node_id": document["node_id"]}
