"""Sessions as KATO keeps them: one JSON document each, read, changed and written back whole."""

import asyncio
import json
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypedDict, cast

from .storage import STORAGE_ERRORS, Storage

KEY_PREFIX = "kato:session:"
INDEX_KEY = KEY_PREFIX + "_active_index"
STM_LIMIT = 1000
"""Events of the short-term memory that survive a save, newest last."""

logger = logging.getLogger("uvicorn.error")


class SessionDocument(TypedDict):
    """The JSON value; times are ISO 8601 in UTC."""

    session_id: str
    node_id: str
    created_at: str
    expires_at: str
    ttl_seconds: int
    stm: list[list[str]]
    time: int
    metadata: dict[str, Any]
    session_config: dict[str, Any]


class Sessions:
    """Reads and writes session documents and holds this process's locks."""

    def __init__(
        self, storage: Storage, ttl: int, auto_extend: bool, clock: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._ttl = ttl
        self._auto_extend = auto_extend
        self._clock = clock
        # One table per process is what makes affinity necessary: another process has its own.
        self._locks: dict[str, asyncio.Lock] = {}

    def lock(self, session_id: str) -> asyncio.Lock:
        """The lock that serialises this process's observations of the session."""
        return self._locks.setdefault(session_id, asyncio.Lock())

    async def create(
        self,
        node_id: str,
        config: dict[str, Any],
        metadata: dict[str, Any],
        ttl_seconds: int | None,
    ) -> SessionDocument:
        """Make and store a session; storage errors reach the caller."""
        now = self._clock()
        ttl = ttl_seconds or self._ttl
        document: SessionDocument = {
            "session_id": f"session-{uuid.uuid4().hex}-{int(now * 1000)}",
            "node_id": node_id,
            "created_at": self._iso(now),
            "expires_at": self._iso(now + ttl),
            "ttl_seconds": ttl,
            "stm": [],
            "time": 0,
            "metadata": metadata,
            "session_config": config,
        }
        await self.save(document, ttl)
        await self._storage.index_add(document["session_id"])
        self.lock(document["session_id"])
        return document

    async def exists(self, session_id: str) -> bool:
        """Whether the session is stored, without touching its TTL; storage errors are raised."""
        return await self._storage.exists(KEY_PREFIX + session_id)

    async def is_live(self, session_id: str) -> bool:
        """Like exists, but an unreachable storage counts as no session."""
        # KATO's own confusion: its clients see a 404 for a Redis fault.
        try:
            return await self.exists(session_id)
        except STORAGE_ERRORS as error:
            logger.warning("session lookup failed: %s", error)
            return False

    async def load(self, session_id: str) -> SessionDocument | None:
        """Read a session and extend its TTL; None if unknown or the storage is unreachable."""
        key = KEY_PREFIX + session_id
        try:
            text = await self._storage.get(key)
            if text is None:
                return None
            document = cast("SessionDocument", json.loads(text))
            if self._auto_extend:
                await self._storage.expire(key, document["ttl_seconds"])
                document["expires_at"] = self._iso(self._clock() + document["ttl_seconds"])
        except STORAGE_ERRORS as error:
            logger.warning("session read failed: %s", error)
            return None
        return document

    async def save(self, document: SessionDocument, ttl: int | None = None) -> None:
        """Write the whole document. ttl in seconds; default: the session's own, or what is left."""
        if ttl is None:
            ttl = document["ttl_seconds"] if self._auto_extend else self.remaining(document)
        document["stm"] = document["stm"][-STM_LIMIT:]
        key = KEY_PREFIX + document["session_id"]
        await self._storage.set_with_ttl(key, ttl, json.dumps(document))

    async def extend(self, document: SessionDocument, ttl: int) -> None:
        """Write the document with another TTL in seconds; its own ttl_seconds stays."""
        document["expires_at"] = self._iso(self._clock() + ttl)
        await self.save(document, ttl)

    async def delete(self, session_id: str) -> bool:
        """Remove a session; whether it was there. False too if the storage is unreachable."""
        try:
            there = await self._storage.delete(KEY_PREFIX + session_id)
            await self._storage.index_remove(session_id)
        except STORAGE_ERRORS as error:
            logger.warning("session removal failed: %s", error)
            return False
        self._locks.pop(session_id, None)
        return there

    async def count(self) -> int:
        """Size of the index, which keeps expired sessions; without storage, of the lock table."""
        try:
            return await self._storage.index_size()
        except STORAGE_ERRORS as error:
            logger.warning("session count failed: %s", error)
            return len(self._locks)

    def remaining(self, document: SessionDocument) -> int:
        """Seconds until the document expires, at least 1."""
        expires = datetime.fromisoformat(document["expires_at"]).timestamp()
        return max(1, int(expires - self._clock()))

    @staticmethod
    def _iso(seconds: float) -> str:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
