"""What an observation or a learning costs and does, without any knowledge base behind it."""

import asyncio
import hashlib
import json
import random
from typing import Any

from .environment import Settings
from .session_config import effective
from .sessions import SessionDocument


class BackingStoreError(RuntimeError):
    """A store that the call needs is down or switched off; the client sees a plain 500."""


class Work:
    """The work of this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._nodes: set[str] = set()

    async def prepare(self, node_id: str, clickhouse_down: bool) -> None:
        """Get the node's processor: slow at first touch, impossible without its stores."""
        if not self._settings.redis_enabled:
            raise BackingStoreError("REDIS_ENABLED is not true")
        if clickhouse_down:
            raise BackingStoreError("ClickHouse is down")
        if node_id not in self._nodes:
            self._nodes.add(node_id)
            await asyncio.sleep(self._settings.first_touch)

    async def one_observation(self) -> None:
        """Take the time of one observation, which other requests can use."""
        await asyncio.sleep(random.uniform(*self._settings.work))

    async def one_sequence_item(self) -> None:
        """Take the time of one item of a sequence."""
        await asyncio.sleep(self._settings.sequence_item)

    async def one_unlocked_change(self) -> None:
        """Let other requests run once, also when no wait for Redis does that."""
        await asyncio.sleep(0)

    def config_of(self, document: SessionDocument) -> dict[str, Any]:
        """The session's configuration in force."""
        defaults = {
            "max_pattern_length": self._settings.max_pattern_length,
            "stm_mode": self._settings.stm_mode,
        }
        return effective(document["session_config"], defaults)

    def observe(
        self, document: SessionDocument, strings: list[str], vectors: list[list[float]]
    ) -> str | None:
        """Add one event to the document; the name of the pattern if that made KATO learn."""
        config = self.config_of(document)
        symbols = sorted(strings) if config["sort_symbols"] else list(strings)
        event = symbols + [f"VCTR|{_digest(vector)}" for vector in vectors]
        document["time"] += 1
        if not event:
            return None
        document["stm"].append(event)
        longest = config["max_pattern_length"]
        if not longest or len(document["stm"]) < longest:
            return None
        name = pattern_name(document["stm"])
        rolling = config["stm_mode"] == "ROLLING" and longest > 1
        document["stm"] = document["stm"][-(longest - 1) :] if rolling else []
        return name or None


def pattern_name(stm: list[list[str]]) -> str:
    """The name of the pattern that these events make; empty if there are fewer than two."""
    return f"PTRN|{_digest(stm)}" if len(stm) > 1 else ""


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:40]
