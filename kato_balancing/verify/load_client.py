"""One client of a load: asks, waits for the answer, asks again."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from kato_balancing.verify.asking import Answer, ask, observation, session_path
from kato_balancing.verify.load_record import LoadRecord, WrittenSession
from kato_balancing.verify.sessions import node_id
from kato_balancing.verify.target import Target

OBSERVATIONS_PER_SESSION: Final = 500
"""Half of what KATO keeps: a session that is full is left for a new one."""

PAUSE_AFTER_FAILURE: Final = 0.05
"""Seconds; a refused connection fails at once and would turn the loop into a storm."""


class NoSessionError(Exception):
    """A client could not get its first session."""


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of request: how reports call it, and its method."""

    label: str
    method: str


OBSERVE: Final = Sort("POST", "POST")
READ: Final = Sort("GET", "GET")
CREATE: Final = Sort("POST /sessions", "POST")


@dataclass(frozen=True, slots=True)
class Habits:
    """What every client of a load does."""

    post_share: float
    """Share of observations among the requests; the rest reads the session."""
    think_time: float
    """Seconds between an answer and the next request."""


class LoadClient:
    """One client with its own connection and, at any time, one session of its own."""

    def __init__(
        self, target: Target, record: LoadRecord, habits: Habits, run: str, number: int
    ) -> None:
        self._target = target
        self._record = record
        self._habits = habits
        self._run = run
        self._number = number
        self._tokens = 0
        self._sessions = 0
        self._random = secrets.SystemRandom()

    async def work(self, may_send: Callable[[], bool], began: asyncio.Event) -> None:
        """Ask until ``may_send`` says no; sets ``began`` when the first session exists.

        A request in flight is always waited for: cut off, it could be stored unnoticed. Raises
        :class:`NoSessionError` when there is no first session; later ones are asked for until
        they come.
        """
        async with self._target.client(1) as client:
            written = await self._open(client)
            if written is None:
                raise NoSessionError(f"client {self._number} got no session")
            began.set()
            while may_send():
                if _full(written):
                    written = await self._open(client) or written
                elif self._random.random() < self._habits.post_share:
                    await self._observe(client, written)
                else:
                    await self._ask(client, READ, session_path(written.session))
                if self._habits.think_time:
                    await asyncio.sleep(self._habits.think_time)

    async def _open(self, client: httpx.AsyncClient) -> WrittenSession | None:
        node = node_id(self._run, self._number)
        answer = await self._ask(client, CREATE, "/sessions", body={"node_id": node})
        session = answer.text("session_id")
        return self._record.opened(session) if answer.ok and session else None

    async def _observe(self, client: httpx.AsyncClient, written: WrittenSession) -> None:
        self._tokens += 1
        token = f"{self._run}-{self._number}-{self._tokens}"
        # Noted before it leaves: whatever happens, the token is accounted for.
        written.unacknowledged.append(token)
        path = session_path(written.session, "/observe")
        answer = await self._ask(client, OBSERVE, path, body=observation(token), token=token)
        if answer.ok:
            written.unacknowledged.remove(token)
            written.acknowledged.append(token)

    async def _ask(
        self,
        client: httpx.AsyncClient,
        sort: Sort,
        path: str,
        *,
        body: object = None,
        token: str | None = None,
    ) -> Answer:
        self._record.sent()
        answer = await ask(self._target, client, sort.method, path, body=body)
        self._record.answered(sort.label, sort.method, path, answer, token)
        if not answer.ok:
            await asyncio.sleep(PAUSE_AFTER_FAILURE)
        return answer


def _full(written: WrittenSession) -> bool:
    return len(written.acknowledged) + len(written.unacknowledged) >= OBSERVATIONS_PER_SESSION
