"""A session as an object: KATO's calls by name, for threads and for asyncio."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kato_balancing.client import _calls
from kato_balancing.client.errors import SessionNotFound

if TYPE_CHECKING:
    from kato_balancing.client.failover import AsyncFailoverClient, FailoverClient
    from kato_balancing.client.session_events import KatoEvent

Answer = dict[str, Any]
"""KATO's JSON. After a lost answer that was verified it has ``verified: true``, and null for what
only the lost answer said."""


class KatoSession:
    """One session of KATO; deleted at the end of a ``with`` block. Thread-safe.

    Every method takes ``timeout``: seconds for everything, default: the policy's deadline. All
    raise the errors of :mod:`kato_balancing.client.errors`, whose ``happened`` tells whether the
    call may be made again. Writes of one session wait for each other.
    """

    def __init__(
        self, client: "FailoverClient", session_id: str, region: str | None = None
    ) -> None:
        self._client = client
        self.session_id = session_id
        self.region = region
        """The region that the session was born in; None without regions."""

    def __repr__(self) -> str:
        return f"KatoSession({self.session_id!r})"

    @property
    def handle(self) -> str:
        """Text from which :meth:`Regions.attach` makes this session again: region and id."""
        return f"{self.region}/{self.session_id}" if self.region else self.session_id

    def _call(
        self,
        method: str,
        action: str = "",
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        call = _calls.of_session(self.session_id, method, action, body)
        call = _calls.Call(call.method, call.path, call.body, params or {})
        return self._client.call(call, self.session_id, timeout)

    def observe(
        self,
        strings: Iterable[str] = (),
        *,
        vectors: Iterable[Sequence[float]] = (),
        emotives: Mapping[str, float] | None = None,
        metadata: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Add one event to the short-term memory. Without strings and vectors a lost answer can't
        be verified (:class:`UnknownOutcome`)."""
        body = _calls.observation(strings, vectors, emotives, metadata)
        return self._call("POST", "observe", body, timeout=timeout)

    def observe_sequence(
        self,
        observations: Iterable[Mapping[str, Any]],
        *,
        learn_at_end: bool = False,
        learn_after_each: bool = False,
        clear_stm_between: bool = False,
        timeout: float | None = None,
    ) -> Answer:
        """Add many events, all or none; may run for minutes (default deadline 300 s)."""
        body = {
            "observations": [dict(one) for one in observations],
            "learn_at_end": learn_at_end,
            "learn_after_each": learn_after_each,
            "clear_stm_between": clear_stm_between,
        }
        return self._call("POST", "observe-sequence", body, timeout=timeout)

    def learn(self, *, timeout: float | None = None) -> str | None:
        """Make a pattern of the short-term memory and empty it; the pattern's name. None when the
        answer was lost and the memory shows that KATO learned."""
        answer = self._call("POST", "learn", timeout=timeout)
        return answer.get("pattern_name")

    def predictions(self, *, timeout: float | None = None) -> list[Answer]:
        """What KATO predicts from the short-term memory; heavy (default deadline 300 s)."""
        answer = self._call("GET", "predictions", timeout=timeout)
        return list(answer["predictions"])

    def stm(self, *, timeout: float | None = None) -> list[list[str]]:
        """The short-term memory: a list of events."""
        answer = self._call("GET", "stm", timeout=timeout)
        return list(answer["stm"])

    def info(self, *, timeout: float | None = None) -> Answer:
        """The session's node, times and configuration."""
        return self._call("GET", timeout=timeout)

    def exists(self, *, timeout: float | None = None) -> bool:
        """Whether KATO's store has the session; does not extend its life."""
        answer = self._call("GET", "exists", timeout=timeout)
        return bool(answer["exists"])

    def configure(self, *, timeout: float | None = None, **settings: Any) -> Answer:
        """Change configuration fields. KATO takes no lock here: this client makes these calls wait
        for each other, but other clients' overlapping changes are lost."""
        return self._call("POST", "config", {"config": settings}, timeout=timeout)

    def extend(self, ttl_seconds: int, *, timeout: float | None = None) -> Answer:
        """Let the session live for this many seconds; the next access sets its own time again."""
        params = {"ttl_seconds": str(ttl_seconds)}
        return self._call("POST", "extend", timeout=timeout, params=params)

    def clear_stm(self, *, timeout: float | None = None) -> None:
        """Empty the short-term memory."""
        self._call("POST", "clear-stm", timeout=timeout)

    def clear_all(self, *, timeout: float | None = None) -> None:
        """Wipe the knowledge of the session's whole *node*, other sessions' too."""
        self._call("POST", "clear-all", timeout=timeout)

    def events(self, *, seconds: float | None = None) -> "Iterator[KatoEvent]":
        """Events of this session, whichever instance tells of them; ends after ``seconds``, by
        default never. Needs the extra ``events``."""
        for event in self._client.events(seconds=seconds):
            if event.session_id == self.session_id:
                yield event

    def close(self, *, timeout: float | None = None) -> None:
        """Delete the session; nothing happens when it is gone already."""
        try:
            self._call("DELETE", timeout=timeout)
        except SessionNotFound:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncKatoSession:
    """:class:`KatoSession` for asyncio.

    Every method takes ``timeout``: seconds for everything, default: the policy's deadline. All
    raise the errors of :mod:`kato_balancing.client.errors`, whose ``happened`` tells whether the
    call may be made again. Writes of one session wait for each other.
    """

    def __init__(
        self, client: "AsyncFailoverClient", session_id: str, region: str | None = None
    ) -> None:
        self._client = client
        self.session_id = session_id
        self.region = region
        """The region that the session was born in; None without regions."""

    def __repr__(self) -> str:
        return f"AsyncKatoSession({self.session_id!r})"

    @property
    def handle(self) -> str:
        """Text from which :meth:`Regions.attach` makes this session again: region and id."""
        return f"{self.region}/{self.session_id}" if self.region else self.session_id

    async def _call(
        self,
        method: str,
        action: str = "",
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        call = _calls.of_session(self.session_id, method, action, body)
        call = _calls.Call(call.method, call.path, call.body, params or {})
        return await self._client.call(call, self.session_id, timeout)

    async def observe(
        self,
        strings: Iterable[str] = (),
        *,
        vectors: Iterable[Sequence[float]] = (),
        emotives: Mapping[str, float] | None = None,
        metadata: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Add one event to the short-term memory. Without strings and vectors a lost answer can't
        be verified (:class:`UnknownOutcome`)."""
        body = _calls.observation(strings, vectors, emotives, metadata)
        return await self._call("POST", "observe", body, timeout=timeout)

    async def observe_sequence(
        self,
        observations: Iterable[Mapping[str, Any]],
        *,
        learn_at_end: bool = False,
        learn_after_each: bool = False,
        clear_stm_between: bool = False,
        timeout: float | None = None,
    ) -> Answer:
        """Add many events, all or none; may run for minutes (default deadline 300 s)."""
        body = {
            "observations": [dict(one) for one in observations],
            "learn_at_end": learn_at_end,
            "learn_after_each": learn_after_each,
            "clear_stm_between": clear_stm_between,
        }
        return await self._call("POST", "observe-sequence", body, timeout=timeout)

    async def learn(self, *, timeout: float | None = None) -> str | None:
        """Make a pattern of the short-term memory and empty it; the pattern's name. None when the
        answer was lost and the memory shows that KATO learned."""
        answer = await self._call("POST", "learn", timeout=timeout)
        return answer.get("pattern_name")

    async def predictions(self, *, timeout: float | None = None) -> list[Answer]:
        """What KATO predicts from the short-term memory; heavy (default deadline 300 s)."""
        answer = await self._call("GET", "predictions", timeout=timeout)
        return list(answer["predictions"])

    async def stm(self, *, timeout: float | None = None) -> list[list[str]]:
        """The short-term memory: a list of events."""
        answer = await self._call("GET", "stm", timeout=timeout)
        return list(answer["stm"])

    async def info(self, *, timeout: float | None = None) -> Answer:
        """The session's node, times and configuration."""
        return await self._call("GET", timeout=timeout)

    async def exists(self, *, timeout: float | None = None) -> bool:
        """Whether KATO's store has the session; does not extend its life."""
        answer = await self._call("GET", "exists", timeout=timeout)
        return bool(answer["exists"])

    async def configure(self, *, timeout: float | None = None, **settings: Any) -> Answer:
        """Change configuration fields. KATO takes no lock here: this client makes these calls wait
        for each other, but other clients' overlapping changes are lost."""
        return await self._call("POST", "config", {"config": settings}, timeout=timeout)

    async def extend(self, ttl_seconds: int, *, timeout: float | None = None) -> Answer:
        """Let the session live for this many seconds; the next access sets its own time again."""
        params = {"ttl_seconds": str(ttl_seconds)}
        return await self._call("POST", "extend", timeout=timeout, params=params)

    async def clear_stm(self, *, timeout: float | None = None) -> None:
        """Empty the short-term memory."""
        await self._call("POST", "clear-stm", timeout=timeout)

    async def clear_all(self, *, timeout: float | None = None) -> None:
        """Wipe the knowledge of the session's whole *node*, other sessions' too."""
        await self._call("POST", "clear-all", timeout=timeout)

    async def events(self) -> "AsyncIterator[KatoEvent]":
        """See :meth:`KatoSession.events`; ends when its reader does."""
        async for event in self._client.events():
            if event.session_id == self.session_id:
                yield event

    async def close(self, *, timeout: float | None = None) -> None:
        """Delete the session; nothing happens when it is gone already."""
        try:
            await self._call("DELETE", timeout=timeout)
        except SessionNotFound:
            return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
