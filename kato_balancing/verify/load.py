"""A steady load on a running balancer, to see what an event does to its clients."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from kato_balancing.report.run_document import Traffic
from kato_balancing.verify.accounting import Account, account
from kato_balancing.verify.asking import Answer
from kato_balancing.verify.explain import meaning
from kato_balancing.verify.load_client import Habits, LoadClient
from kato_balancing.verify.load_record import LoadRecord, WrittenSession
from kato_balancing.verify.load_report import LoadReport, LostReport
from kato_balancing.verify.options import MOST_CONNECTIONS, OptionError
from kato_balancing.verify.parallel import in_parallel
from kato_balancing.verify.sessions import AT_ONCE, delete_sessions, new_run, read_memory
from kato_balancing.verify.target import Target

MARGIN: Final = 10.0
"""Seconds beyond a request's own limit that starting and stopping may take."""

Outcome = TypeVar("Outcome")


class LoadError(RuntimeError):
    """The load could not do what it was asked for; says why and what to do."""


class SteadyLoad:
    """Clients that each keep one request in flight, in a thread of their own.

    >>> with SteadyLoad(url) as load:  # doctest: +SKIP
    ...     load.mark("scale out")
    ...     scale_out()
    >>> assert load.report().failed == 0  # doctest: +SKIP
    >>> assert load.lost().lost == ()  # doctest: +SKIP

    Every client has its own connection and its own session, so that its requests never overlap
    each other: what is lost here was lost by the event, not by missing affinity. From
    asynchronous code call the methods with ``asyncio.to_thread``.
    """

    def __init__(
        self,
        url: str,
        *,
        clients: int = 32,
        post_share: float = 0.6,
        think_time: float = 0.0,
        timeout: float = 30.0,
        max_seconds: float = 600.0,
        max_requests: int = 1_000_000,
        ca_file: str | None = None,
    ) -> None:
        """``post_share`` of the requests observe, the rest reads the session.

        ``think_time`` is the pause of a client between an answer and its next request,
        ``timeout`` what one request may take, both in seconds. After ``max_seconds`` or
        ``max_requests`` the load ends by itself and :meth:`stop` raises, since what came
        after it was not under load. Raises :class:`OptionError`.
        """
        if not 1 <= clients <= MOST_CONNECTIONS:
            rule = f"must be from 1 to {MOST_CONNECTIONS}, not {clients}"
            raise OptionError("clients", rule, "use 32")
        if not 0 <= post_share <= 1:
            raise OptionError("post_share", f"must be from 0 to 1, not {post_share}", "use 0.6")
        for option, value in (
            ("think_time", think_time + 1),
            ("timeout", timeout),
            ("max_seconds", max_seconds),
            ("max_requests", max_requests),
        ):
            if not value > 0:
                raise OptionError(option, f"must not be {value:g}", "use a positive number")
        self._target = Target.at(url, timeout=timeout, ca_file=ca_file)
        self._habits = Habits(post_share, think_time)
        self._clients = clients
        self._max_seconds = max_seconds
        self._max_requests = max_requests
        self._record: LoadRecord | None = None
        self._asked_to_stop = threading.Event()
        self._ready = threading.Event()
        self._all_began = False
        self._thread: threading.Thread | None = None
        self._crash: BaseException | None = None

    def start(self) -> None:
        """Begin, and return when every client has its session.

        Raises :class:`LoadError` when that does not happen within ``timeout`` + 10 seconds.
        """
        if self._thread is not None:
            raise LoadError("a load can be started once only: make another one")
        self._record = LoadRecord(self._clients)
        self._thread = threading.Thread(target=self._run, name="steady-load", daemon=True)
        self._thread.start()
        limit = self._target.timeout + MARGIN
        self._ready.wait(limit)
        if self._all_began:
            return
        self._finish()
        kinds = sorted({failure.kind for failure in self._record.report().failures})
        seen = "; ".join(f"{kind}: {meaning(kind)}" for kind in kinds) or "no answer"
        raise LoadError(
            f"the load on {self._target.base} did not begin: not all of its {self._clients} "
            f"clients got a session within {limit:g} s ({self._record.ended or seen})"
        ) from self._crash

    def stop(self) -> None:
        """Let every client finish its request, then end.

        Raises :class:`LoadError` when the load had ended by itself before. Stopping twice is
        allowed.
        """
        record = self._started()
        self._finish()
        if self._crash is not None:
            raise LoadError("the load ended by an error of its own") from self._crash
        if record.ended is not None:
            raise LoadError(record.ended)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        except LoadError as own:
            if error is None:
                raise
            # What went wrong inside matters more, but this is not to be lost.
            error.add_note(str(own))

    def mark(self, event: str) -> None:
        """Put ``event`` into the report, now; raises :class:`LoadError` when not running."""
        record = self._started()
        if self._thread is None or not self._thread.is_alive():
            raise LoadError(f"{event!r} cannot be marked: {record.ended or 'the load has stopped'}")
        record.mark(event)

    def report(self) -> LoadReport:
        """What was seen so far; may be called at any time after the start."""
        return self._started().report()

    def traffic(self) -> Traffic:
        """What was seen so far, slice by slice; may be called at any time after the start."""
        return self._started().traffic()

    def lost(self) -> LostReport:
        """Compare what was acknowledged with what KATO holds, by content.

        Raises :class:`LoadError` while the load runs, or when a session cannot be read.
        """
        accounts = self._afterwards(self._account())
        written = self._started().written()
        return LostReport(
            acknowledged=sum(len(session.acknowledged) for session in written),
            lost=tuple(token for found in accounts for token in found.lost),
            doubled=tuple(token for found in accounts for token in found.doubled),
            unacknowledged_present=tuple(
                token for found in accounts for token in found.unacknowledged_present
            ),
            foreign=tuple(token for found in accounts for token in found.foreign),
            sessions=len(written),
        )

    def delete_sessions(self) -> str | None:
        """Delete the load's sessions, after :meth:`lost`; says what is left, else ``None``."""
        sessions = [written.session for written in self._started().written()]
        return self._afterwards(delete_sessions(self._target, sessions))

    def _started(self) -> LoadRecord:
        if self._record is None:
            raise LoadError("the load has not been started: call start() or use it in a with block")
        return self._record

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._crash = error
        finally:
            self._started().stops()
            self._ready.set()

    async def _work(self) -> None:
        record = self._started()
        run = new_run()
        began = [asyncio.Event() for _ in range(self._clients)]

        async def wait_for_all() -> None:
            for event in began:
                await event.wait()
            self._all_began = True
            self._ready.set()

        async with asyncio.TaskGroup() as waiting:
            announcing = waiting.create_task(wait_for_all())
            async with asyncio.TaskGroup() as group:
                for number, event in enumerate(began):
                    client = LoadClient(self._target, record, self._habits, run, number)
                    group.create_task(client.work(self._may_send, event))
            announcing.cancel()

    def _may_send(self) -> bool:
        record = self._started()
        if record.seconds() >= self._max_seconds:
            record.ends(
                f"the load ended by itself after max_seconds = {self._max_seconds:g} s: stop it "
                "earlier or raise max_seconds"
            )
        elif record.requests >= self._max_requests:
            record.ends(
                f"the load ended by itself after max_requests = {self._max_requests}: stop it "
                "earlier, raise max_requests or give the clients a think_time"
            )
        return record.ended is None and not self._asked_to_stop.is_set()

    def _finish(self) -> None:
        """Wait for the thread: a request in flight, a pause and what comes on top."""
        self._asked_to_stop.set()
        if self._thread is None:
            return
        limit = self._target.timeout + self._habits.think_time + MARGIN
        self._thread.join(limit)
        if self._thread.is_alive():
            raise LoadError(f"the load did not stop within {limit:g} s of being asked to")

    async def _account(self) -> list[Account]:
        async with self._target.client(AT_ONCE) as client:

            async def compare(written: WrittenSession) -> Account | Answer:
                memory = await read_memory(self._target, client, written.session)
                if isinstance(memory, Answer):
                    return memory
                return account(written.acknowledged, written.unacknowledged, memory.tokens)

            outcomes = await in_parallel(self._started().written(), compare, AT_ONCE)
        unread = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
        if unread:
            kind = unread[0].kind
            raise LoadError(
                f"{len(unread)} of {len(outcomes)} sessions could not be read, so that losses "
                f"cannot be counted; {kind}: {meaning(kind)}"
            )
        return [outcome for outcome in outcomes if isinstance(outcome, Account)]

    def _afterwards(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Run ``work`` now that the load is over, also where an event loop runs already."""
        if self._thread is None or self._thread.is_alive():
            work.close()
            raise LoadError("the load must have run and stopped first: call stop()")
        # Each request of the work has its own limit, so that the work ends too.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, work).result()
