"""Writes of a session: never two at once, never repeated before it is known that the first did not
happen, never sent elsewhere while the first may still run.

KATO reads a session, changes it and writes it back under a lock of one process. An instance that
hangs in between and goes on later writes back what it read: whatever another instance stored in
the meantime is gone. So a write without an answer holds its session at its instance until that
instance is proved dead or restarted, has answered behind it, or the session shows the write.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import httpx

from kato_balancing import kato
from kato_balancing.client._commands import NO_HEADERS, Acquire, Asked, Send, Sleep, Steps
from kato_balancing.client._effects import (
    Decision,
    Effect,
    Memory,
    decide,
    differ,
    effect_of,
    last_event,
)
from kato_balancing.client._ledger import Ledger, Pending
from kato_balancing.client._outcomes import Kind, Outcome
from kato_balancing.client._pool import NOBODY
from kato_balancing.client._refusals import is_refused
from kato_balancing.client._routes import Repeat
from kato_balancing.client.errors import OutOfTime, SessionHeld, UnknownOutcome

if TYPE_CHECKING:
    from kato_balancing.client._core import Core

LEAST = 0.02
"""Seconds below which nothing is sent any more."""
MOST_RESERVE = 2.0
POLL = 0.2
"""Pause between two looks at an instance that does not answer."""
NOTHING = b'{"observations": []}'
"""An observe-sequence without observations waits for the session's lock and changes nothing."""
NOTHING_HEADERS = httpx.Headers(
    {"content-type": "application/json", "content-length": str(len(NOTHING))}
)
TRY_AGAIN = (502, 503, 504)


class _Fate(Enum):
    GONE = "gone"
    """The process that had the write ended: it cannot run any more."""
    ALIVE = "alive"
    UNKNOWN = "unknown"


class _End(Enum):
    """Whether a write can still run."""

    OPEN = "open"
    PASSED = "passed"
    """Its instance has served another call under the lock since; it may not have got that far."""
    OVER = "over"
    GONE = "gone"
    """Over, with the whole process and everything that it had."""


@dataclass(slots=True)
class _Work:
    """A write under way."""

    asked: Asked
    ledger: Ledger
    effect: Effect
    name: str = ""
    """The instance that was asked last."""
    repeated: bool = False
    """An earlier attempt may have done something."""


class Writes:
    """The way of a write."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._policy = core.policy

    def write(self, asked: Asked) -> Steps[httpx.Response]:
        """Make a call that changes its session."""
        session = asked.route.session or ""
        ledger = self._core.ledgers.of(session)
        if not (yield Acquire(ledger.lock, asked.deadline.left)):
            raise OutOfTime(
                f"{asked.name}: another call of this session took all the time", session=session
            )
        try:
            return (yield from self._locked(asked, ledger))
        finally:
            ledger.lock.release()

    def _locked(self, asked: Asked, ledger: Ledger) -> Steps[httpx.Response]:
        if asked.method != "DELETE":  # what comes late finds no session
            yield from self._mind_earlier_writes(asked, ledger)
        verifies = asked.route.repeat is Repeat.VERIFY
        effect = effect_of(asked.route.action, asked.content) if verifies else Effect(visible=False)
        if verifies and ledger.memory is None:
            yield from self._read_memory(asked, ledger)
        core, tried = self._core, NOBODY
        work = _Work(asked, ledger, effect)
        outcome: Outcome | None = None
        for number in range(self._policy.attempts):
            if ledger.late:
                name = ledger.late[-1].instance
            else:
                name = core.pool.claim(ledger.session, tried) or core.pool.names[0]
            if asked.deadline.left < LEAST:
                raise core.late(asked, name, outcome)
            work.name = name
            outcome = yield from self._send(work)
            final = yield from self._judge(work, outcome)
            if final is not None:
                return final
            work.repeated = work.repeated or outcome.kind in (Kind.CUT, Kind.FAILED)
            if outcome.kind is Kind.NOT_SENT:
                tried = tried | {name} if len(tried) + 1 < len(core.pool.names) else NOBODY
                if ledger.late:
                    # Nobody there: the late ones keep the session until they are known to be over.
                    yield from self._free(asked, ledger, ledger.late.pop())
            if number + 1 < self._policy.attempts:
                yield from core.pause(asked, number, outcome, name)
        if outcome is not None and outcome.response is not None:
            return outcome.response
        raise core.gave_up(asked, work.name, outcome)

    def _send(self, work: _Work) -> Steps[Outcome]:
        asked, ledger = work.asked, work.ledger
        left = asked.deadline.left
        limit = max(LEAST, left - min(MOST_RESERVE, left * self._policy.reserve))
        # Noted before it leaves: whatever ends this call, the write is accounted for.
        pending = ledger.pending = Pending(
            work.name, self._core.clock(), False, work.effect, asked.route.action, ledger.memory
        )
        outcome: Outcome = yield from self._core.attempt(work.name, asked, limit)
        if outcome.kind is Kind.CUT:
            pending.cut = True
        elif outcome.kind is not Kind.SILENT:
            ledger.pending = None
        return outcome

    def _judge(self, work: _Work, outcome: Outcome) -> Steps[httpx.Response | None]:
        """The call's answer; None when it may be repeated. Raises when neither is possible."""
        asked, ledger = work.asked, work.ledger
        kind, repeat = outcome.kind, asked.route.repeat
        if kind is Kind.ANSWERED and outcome.response is not None:
            return (yield from self._answered(work, outcome.response))
        if kind in (Kind.NOT_SENT, Kind.NOT_RUN):
            return None
        if ledger.pending is not None:
            decision = yield from self._resolve(asked, ledger, ledger.pending)
        else:  # KATO's application answered: it is over
            decision = yield from self._seen(asked, ledger, work.effect, ledger.memory)
        said = decision.value if decision is not None else "unknown"
        self._core.hooks.tell("decision", asked.name, work.name, said)
        if repeat is Repeat.VERIFY and decision is Decision.APPLIED:
            return _verified(asked, ledger)
        undone = repeat is Repeat.VERIFY and decision is Decision.UNCHANGED
        if undone or (repeat is Repeat.SET and decision is not None):
            return outcome.response if _is_final(outcome) else None
        raise UnknownOutcome(
            f"{asked.name}: {outcome.said}; it may have been done",
            instance=work.name,
            session=ledger.session,
        ) from outcome.error

    def _answered(self, work: _Work, response: httpx.Response) -> Steps[httpx.Response | None]:
        asked, ledger = work.asked, work.ledger
        action, status = asked.route.action, response.status_code
        if status == 404:
            if asked.method == "DELETE" and work.repeated:
                self._core.ledgers.drop(ledger.session)
                return _made({"status": "deleted", "session_id": ledger.session})
            if (yield from self._core.is_there(asked, work.name)):
                return None
            self._core.ledgers.drop(ledger.session)
        elif status >= 300:
            return response
        elif asked.method == "DELETE":
            self._core.ledgers.drop(ledger.session)
        elif action in ("clear-stm", "clear-all"):
            ledger.memory = Memory(0)
        elif asked.route.repeat is Repeat.VERIFY:
            ledger.memory = _told(work.effect, response)
        return response

    def _mind_earlier_writes(self, asked: Asked, ledger: Ledger) -> Steps[None]:
        """Find the end of those that this write could lose, or be lost by."""
        if ledger.pending is not None:
            yield from self._free(asked, ledger, ledger.pending)
        now = self._core.clock()
        ledger.late = [one for one in ledger.late if now - one.sent_at < self._policy.hold]
        if ledger.late and not _keeps_in_line(asked):
            yield from self._free(asked, ledger, ledger.late.pop())

    def _free(self, asked: Asked, ledger: Ledger, pending: Pending) -> Steps[None]:
        """Find the end of an earlier write, or a way to live with it; or raise SessionHeld."""
        ledger.pending = pending
        may_pass = pending.waits_for_lock and _keeps_in_line(asked)
        decision = yield from self._resolve(asked, ledger, pending, may_pass)
        if decision is None:
            self._core.hooks.tell("held", asked.name, pending.instance, "held")
            raise SessionHeld(
                f"{asked.name}: an earlier write may still run in {pending.instance}, which does "
                "not answer; nothing was sent",
                instance=pending.instance,
                session=ledger.session,
            )

    def _resolve(
        self, asked: Asked, ledger: Ledger, pending: Pending, may_pass: bool = False
    ) -> Steps[Decision | None]:
        """What became of a write; None when that can't be told yet, and it stays pending.

        With ``may_pass`` it is enough that its instance has passed over it.
        """
        while True:
            if asked.deadline.left < LEAST:
                return None
            end = yield from self._end_of(asked, pending)
            decision = yield from self._seen(asked, ledger, pending.effect, pending.before)
            if end is _End.GONE:
                ledger.late.clear()
            over = end in (_End.GONE, _End.OVER) or decision is Decision.APPLIED
            if decision is not None and over:
                ledger.pending = None
                return decision
            if may_pass and end is _End.PASSED:
                ledger.pending = None
                ledger.late.append(pending)
                return Decision.UNCLEAR
            pause = min(POLL, asked.deadline.left / 2)
            yield Sleep(pause)

    def _end_of(self, asked: Asked, pending: Pending) -> Steps[_End]:
        """Whether the write can still run; if not, what the session shows next is final."""
        waited = self._core.clock() - pending.sent_at >= self._policy.hold
        settle = min(self._policy.settle, asked.deadline.left)
        if self._policy.through_balancer:
            yield Sleep(settle)
            return _End.OVER if pending.cut or waited else _End.OPEN
        fate = yield from self._fate(asked, pending)
        if fate is not _Fate.UNKNOWN:
            # Its last command may be on its way to the store, or its bytes on their way to it.
            yield Sleep(settle)
        if fate is not _Fate.ALIVE or asked.deadline.left < LEAST:
            return _End.GONE if fate is _Fate.GONE else _End.OPEN
        target = f"/sessions/{asked.route.session}/observe-sequence".encode()
        limit = asked.deadline.left
        answer = yield Send(pending.instance, "POST", target, NOTHING_HEADERS, NOTHING, limit)
        if answer.status not in (200, 404):
            return _End.OPEN
        # A silent write may not have reached the lock yet: it needs time besides.
        return _End.OVER if pending.cut or waited else _End.PASSED

    def _fate(self, asked: Asked, pending: Pending) -> Steps[_Fate]:
        core = self._core
        sent = core.clock()
        limit = max(LEAST, min(self._policy.health.timeout, asked.deadline.left))
        path = kato.HEALTH_PATH.encode()
        outcome: Outcome = yield Send(pending.instance, "GET", path, NO_HEADERS, b"", limit)
        if outcome.kind is Kind.NOT_SENT and is_refused(outcome.error):
            if pending.refused_since is None:
                pending.refused_since = sent
            # A KATO that stops refuses connections while its last requests still run; but it
            # does not cut those off, so after a cut nobody is left to run the write.
            patient = core.clock() - pending.refused_since >= self._policy.hold
            return _Fate.GONE if pending.cut or patient else _Fate.UNKNOWN
        pending.refused_since = None
        if outcome.status != 200 or outcome.response is None:
            return _Fate.UNKNOWN
        uptime = _loaded(outcome.response).get("uptime_seconds")
        if isinstance(uptime, int | float):
            rounding = 1.0 if isinstance(uptime, int) else 0.0
            if sent - uptime - rounding > pending.sent_at:
                return _Fate.GONE
        return _Fate.ALIVE

    def _seen(
        self, asked: Asked, ledger: Ledger, effect: Effect, before: Memory | None
    ) -> Steps[Decision | None]:
        """What the session shows; None when it can't be read. Any instance can tell: all read
        the same store."""
        if asked.route.repeat is not Repeat.VERIFY and not effect.visible:
            ledger.memory = None
            return Decision.UNCLEAR
        now = yield from self._stm(asked)
        if now is None:
            ledger.memory = None
            return None
        ledger.memory = Memory(len(now), last_event(now))
        if before is None:
            return Decision.UNCLEAR
        decision = decide(before, effect, now)
        if decision is Decision.APPLIED and _may_be_another(ledger, effect):
            return Decision.UNCLEAR
        if decision is Decision.UNCLEAR and effect.adds and len(now) == before.length:
            learns = yield from self._learns_itself(asked)
            decision = decide(before, effect, now, learns_itself=learns)
        return decision

    def _read_memory(self, asked: Asked, ledger: Ledger) -> Steps[None]:
        now = yield from self._stm(asked)
        if now is not None:
            ledger.memory = Memory(len(now), last_event(now))

    def _stm(self, asked: Asked) -> Steps[Sequence[Sequence[str]] | None]:
        response = yield from self._get(asked, "stm")
        if response is None:
            return None
        found = _loaded(response).get("stm")
        return found if isinstance(found, list) else None

    def _learns_itself(self, asked: Asked) -> Steps[bool]:
        response = yield from self._get(asked, "config")
        config = _loaded(response).get("config") if response is not None else None
        return not isinstance(config, dict) or config.get("max_pattern_length") != 0

    def _get(self, asked: Asked, what: str) -> Steps[httpx.Response | None]:
        target = f"/sessions/{asked.route.session}/{what}".encode()
        for name in self._core.pool.serving()[:2]:
            limit = min(self._policy.health.timeout, asked.deadline.left)
            if limit < LEAST:
                return None
            outcome: Outcome = yield Send(name, "GET", target, NO_HEADERS, b"", limit)
            if outcome.status == 200:
                return outcome.response
        return None


def _keeps_in_line(asked: Asked) -> bool:
    """True when a late observation on the same process can't overwrite what this call stores."""
    return asked.route.action in ("observe", "observe-sequence", "learn")


def _may_be_another(ledger: Ledger, effect: Effect) -> bool:
    """True when a late observation could be taken for this one."""
    last = effect.adds[-1] if effect.adds else None
    return last is not None and any(
        not differ(last, event)
        for one in ledger.late
        if one.effect is not effect
        for event in one.effect.adds
    )


def _is_final(outcome: Outcome) -> bool:
    """A server error that another attempt would meet again."""
    return outcome.kind is Kind.FAILED and outcome.status not in TRY_AGAIN


def _told(effect: Effect, response: httpx.Response) -> Memory | None:
    """The memory after a write that was answered."""
    if effect.empties:
        return Memory(0)
    answer = _loaded(response)
    length = answer.get("final_stm_length", answer.get("stm_length"))
    if not isinstance(length, int):
        return None
    if effect.visible:
        return Memory(length, effect.adds[-1] if length else None)
    return Memory(length) if not length else None


def _verified(asked: Asked, ledger: Ledger) -> httpx.Response:
    """An answer in KATO's form for a write whose own answer was lost; what only that answer said
    is null."""
    length = ledger.memory.length if ledger.memory is not None else None
    answer: dict[str, Any] = {"session_id": ledger.session, "verified": True}
    if asked.route.action == "learn":
        answer |= {"status": "learned", "pattern_name": None}
    elif asked.route.action == "observe":
        answer |= {"status": "okay", "stm_length": length, "time": None, "unique_id": None,
                   "auto_learned_pattern": None}  # fmt: skip
    else:
        answer |= {"status": "completed", "final_stm_length": length, "results": None}
    return _made(answer)


def _made(answer: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json=answer, extensions={"kato_verified": True})


def _loaded(response: httpx.Response) -> dict[str, Any]:
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
