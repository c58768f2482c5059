"""Sessions of our own in the KATO under test: create, read, delete."""

import asyncio
import secrets
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import httpx

from kato_balancing.verify.asking import Answer, ask, session_path
from kato_balancing.verify.explain import meaning
from kato_balancing.verify.parallel import in_parallel
from kato_balancing.verify.progress import Progress, silent
from kato_balancing.verify.target import Target

NODE_PREFIX: Final = "kato-lb-verify"
AT_ONCE: Final = 8
READ_ATTEMPTS: Final = 3
PAUSE_BETWEEN_READS: Final = 0.3
"""Seconds."""
CLEAN_UP_LIMIT: Final = 10.0
"""Seconds that deleting all sessions may take: they expire by themselves anyway."""


class SessionsRefusedError(Exception):
    """KATO gave us no sessions, so that nothing can be checked; says why and what to do."""


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """A session's short-term memory as it is stored."""

    session: str
    tokens: tuple[str, ...]
    length: int
    """Events, as KATO counts them."""


def new_run() -> str:
    """A name for one run, so that runs at the same time share no node and no token."""
    return secrets.token_hex(4)


def node_id(run: str, number: int) -> str:
    """The node of the run's session ``number``. A node each: KATO's caches are per node."""
    return f"{NODE_PREFIX}-{run}-{number}"


async def create_session(target: Target, client: httpx.AsyncClient, node: str) -> str | Answer:
    """The new session's id, or the answer that has none."""
    answer = await ask(target, client, "POST", "/sessions", body={"node_id": node})
    session = answer.text("session_id") if answer.ok else None
    return session or answer


async def read_memory(
    target: Target, client: httpx.AsyncClient, session: str
) -> StoredMemory | Answer:
    """The stored memory, or the last answer when three attempts brought none."""
    for attempt in range(1, READ_ATTEMPTS + 1):
        answer = await ask(target, client, "GET", session_path(session, "/stm"))
        events = answer.body.get("stm") if answer.ok and isinstance(answer.body, dict) else None
        if isinstance(events, list):
            tokens = tuple(str(t) for e in events for t in (e if isinstance(e, list) else [e]))
            return StoredMemory(session, tokens, len(events))
        if attempt < READ_ATTEMPTS:
            await asyncio.sleep(PAUSE_BETWEEN_READS)
    return answer


async def delete_sessions(target: Target, sessions: list[str]) -> str | None:
    """Delete ``sessions`` within ten seconds; says what is left, ``None`` when nothing is."""
    left = set(sessions)
    kinds: set[str] = set()

    async def delete(session: str) -> None:
        answer = await ask(target, client, "DELETE", session_path(session))
        # 404: it is gone, which is what we want.
        if answer.status in {httpx.codes.OK, httpx.codes.NOT_FOUND}:
            left.discard(session)
        else:
            kinds.add(answer.kind)

    try:
        async with asyncio.timeout(CLEAN_UP_LIMIT), target.client(AT_ONCE) as client:
            await in_parallel(sessions, delete, AT_ONCE)
    except TimeoutError:
        kinds.add(f"not done within {CLEAN_UP_LIMIT:g} s")
    if not left:
        return None
    return (
        f"{len(left)} of {len(sessions)} sessions could not be deleted ({', '.join(sorted(kinds))})"
        "; KATO forgets them when they expire (an hour by default)."
    )


class OwnSessions:
    """``async with`` creates the sessions and deletes them at the end, whatever happened.

    ``ids`` are the sessions; after the end ``notes`` tells of a clean-up that failed. Raises
    :class:`SessionsRefusedError` when one of them cannot be created.
    """

    def __init__(self, target: Target, count: int, progress: Progress = silent) -> None:
        self._target = target
        self._count = count
        self._progress = progress
        self._created: list[str] = []
        self.run = new_run()
        self.notes: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The sessions."""
        return tuple(self._created)

    async def __aenter__(self) -> Self:
        try:
            async with self._target.client(AT_ONCE) as client:
                outcomes = await in_parallel(
                    range(self._count), lambda number: self._create(client, number), AT_ONCE
                )
        except BaseException:
            # __aexit__ is not called when __aenter__ fails, also when it is interrupted.
            await delete_sessions(self._target, self._created)
            raise
        refused = [answer for answer in outcomes if answer is not None]
        if refused:
            left = await delete_sessions(self._target, self._created)
            raise SessionsRefusedError(_refusal(refused, self._count, left))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        left = await delete_sessions(self._target, self._created)
        self.notes = () if left is None else (left,)

    async def _create(self, client: httpx.AsyncClient, number: int) -> Answer | None:
        outcome = await create_session(self._target, client, node_id(self.run, number))
        if isinstance(outcome, Answer):
            return outcome
        self._created.append(outcome)
        self._progress("creating sessions", len(self._created), self._count)
        return None


def _refusal(refused: list[Answer], count: int, left: str | None) -> str:
    first = refused[0]
    why = (
        "it answers 200 without a session_id: this is not KATO"
        if first.ok
        else f"{first.kind}: {meaning(first.kind)}"
    )
    detail = f" ({first.detail})" if first.detail else ""
    return (
        f"POST /sessions failed for {len(refused)} of {count} sessions, so that nothing could be "
        f"checked; {why}{detail}." + (f" {left}" if left else "")
    )
