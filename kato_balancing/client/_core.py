"""The way of a call, without input or output: a generator that asks a driver for what it needs."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

from kato_balancing.client._commands import (
    NO_HEADERS,
    Asked,
    Forget,
    Send,
    SendAll,
    SendEither,
    Sleep,
    Steps,
)
from kato_balancing.client._ledger import Ledgers
from kato_balancing.client._outcomes import Kind, Outcome
from kato_balancing.client._pacing import (
    Clock,
    Deadline,
    RetryBudget,
    backoff,
    full_jitter,
    retry_after,
)
from kato_balancing.client._pool import COMPARABLE, NOBODY, Pool
from kato_balancing.client._routes import Repeat, route_of
from kato_balancing.client._writes import Writes
from kato_balancing.client.errors import (
    KatoError,
    NoInstance,
    OutOfTime,
    RetryBudgetSpent,
    StoreUnavailable,
    UnknownOutcome,
)
from kato_balancing.client.hooks import Hook, Hooks
from kato_balancing.client.instances import Instances, listed
from kato_balancing.client.policy import Policy

LONG_ACTIONS = ("observe-sequence", "finalize-training", "predictions")
HEDGED_ACTIONS = ("", "exists", "stm", "config")
"""Reads that are cheap enough to be asked twice."""
TRY_ELSEWHERE = (502, 503, 504)
LEAST_TO_DRAW = 0.5
"""Seconds below which a session is taken as it was drawn."""
AT_ONCE = 3
"""Sessions drawn at the same time while an instance should get none: with one of three, 26 of 27
times one of them is good."""
MOST_DRAWS = 40
"""With half of the instances away, one in 2**40 sessions would still belong to one of those."""
WAY_BACK = 0.97
"""Part of a call's time that it plans with: the rest is for getting back to its caller."""

Chance = Callable[[], float]


class Core:
    """What both drivers share: the decisions and all that they know."""

    def __init__(
        self,
        instances: Instances,
        policy: Policy | None,
        *,
        new_lock: Callable[[], Any],
        hooks: tuple[Hook, ...] = (),
        clock: Clock = time.monotonic,
        chance: Chance = full_jitter,
    ) -> None:
        self.policy = policy or Policy()
        self.clock = clock
        self.pool = Pool(listed(instances), self.policy, clock)
        self.ledgers = Ledgers(new_lock)
        self.hooks = Hooks(hooks)
        self.budget = RetryBudget(self.policy.retry_share, self.policy.retry_reserve)
        self._chance = chance
        self._writes = Writes(self)

    def ask(
        self,
        method: str,
        target: bytes,
        headers: httpx.Headers,
        content: bytes,
        seconds: float | None,
    ) -> Steps[httpx.Response]:
        """Make a call within ``seconds``, by default the policy's."""
        route = route_of(method, target.partition(b"?")[0].decode("latin-1"))
        if seconds is None:
            is_long = route.action in LONG_ACTIONS
            seconds = self.policy.long_deadline if is_long else self.policy.deadline
        deadline = Deadline.after(seconds * WAY_BACK, self.clock)
        asked = Asked(method, target, headers, content, route, deadline)
        self.budget.call()
        if route.writes_session:
            return self._writes.write(asked)
        if route.repeat is Repeat.CREATE:
            return self._create(asked)
        return self._read(asked)

    def attempt(self, name: str, asked: Asked, limit: float) -> Steps[Outcome]:
        """Send once and note how it went."""
        began = self.pool.begin(name)
        outcome: Outcome | None = None
        try:
            outcome = yield Send(
                name, asked.method, asked.target, asked.headers, asked.content, limit
            )
        finally:
            seconds = self.pool.end(name, began, outcome, asked.route.action in COMPARABLE)
            kind = outcome.kind.value if outcome is not None else "cancelled"
            self.hooks.tell("attempt", asked.name, name, kind, seconds)
        return outcome

    def pause(self, asked: Asked, number: int, outcome: Outcome | None, name: str) -> Steps[None]:
        """Wait before a repeat. Raises when there must be none."""
        if not self.budget.take():
            raise RetryBudgetSpent(
                "too many of the recent calls were repeats; this one is not repeated",
                instance=name, session=asked.route.session,
            )  # fmt: skip
        policy = self.policy
        seconds = backoff(number, policy.backoff, policy.backoff_cap, self._chance)
        if outcome is not None and outcome.response is not None:
            asked_for = retry_after(outcome.response.headers.get("retry-after"))
            # With jitter on top: all clients were given the same number.
            seconds += asked_for or 0.0
        if seconds >= asked.deadline.left:
            raise self.late(asked, name, outcome)
        self.hooks.tell("repeat", asked.name, name, outcome.kind.value if outcome else "")
        yield Sleep(seconds)

    def late(self, asked: Asked, name: str | None, outcome: Outcome | None = None) -> KatoError:
        """The error of a call that was not done when its time was over."""
        said = f"; last from {name}: {outcome.said}" if outcome else ""
        error = OutOfTime(
            f"{asked.name}: no time left{said}", instance=name, session=asked.route.session
        )
        error.__cause__ = outcome.error if outcome else None
        return error

    def gave_up(self, asked: Asked, name: str | None, outcome: Outcome | None) -> KatoError:
        """The error of a call that no instance took."""
        said = f": {outcome.said}" if outcome else ""
        error = NoInstance(
            f"{asked.name}: no instance took it, last {name}{said}",
            instance=name, session=asked.route.session,
        )  # fmt: skip
        error.__cause__ = outcome.error if outcome else None
        return error

    def is_there(self, asked: Asked, name: str) -> Steps[bool]:
        """Whether the store has the session, after a 404: KATO says 404 for a store that it can't
        reach too. Raises StoreUnavailable when that is so."""
        limit = min(asked.deadline.left, self.policy.health.timeout)
        target = f"/sessions/{asked.route.session}/exists".encode()
        outcome = yield Send(name, "GET", target, NO_HEADERS, b"", limit)
        if outcome.status == 200:
            return bool(_json(outcome.response).get("exists"))
        raise StoreUnavailable(
            f"{name} does not know the session and can't reach its store ({outcome.said})",
            instance=name, session=asked.route.session,
        )  # fmt: skip

    def _read(self, asked: Asked) -> Steps[httpx.Response]:
        session, deadline = asked.route.session, asked.deadline
        repeatable = asked.route.repeat is Repeat.READ
        tried: frozenset[str] = NOBODY
        name, outcome = None, None
        for number in range(self.policy.attempts):
            name = self.pool.claim(session, tried)
            if name is None:
                tried = NOBODY
                name = self.pool.claim(session, tried)
            if name is None or deadline.left <= 0:
                break
            others = len(self.pool.names) - len(tried) - 1
            last = number == self.policy.attempts - 1 or not others or not repeatable
            limit = deadline.left if last else deadline.left / 2
            name, outcome = yield from self._attempt_read(name, tried, asked, limit)
            if outcome.kind is Kind.ANSWERED and outcome.response is not None:
                if outcome.status != 404 or session is None or asked.route.action == "exists":
                    return outcome.response
                if not (yield from self.is_there(asked, name)):
                    return outcome.response
            elif outcome.kind is Kind.FAILED and outcome.response is not None:
                if outcome.status not in TRY_ELSEWHERE or not repeatable:
                    return outcome.response
            elif outcome.kind in (Kind.CUT, Kind.SILENT) and not repeatable:
                raise UnknownOutcome(
                    f"{asked.name}: {outcome.said}; it may have been done", instance=name
                ) from outcome.error
            tried = tried | {name}
            if number + 1 < self.policy.attempts:
                yield from self.pause(asked, number, outcome, name)
        if outcome is not None and outcome.kind is Kind.FAILED and outcome.response is not None:
            return outcome.response
        if deadline.left <= 0 or (outcome is not None and outcome.kind is Kind.SILENT):
            raise self.late(asked, name, outcome)
        raise self.gave_up(asked, name, outcome)

    def _attempt_read(
        self, name: str, tried: frozenset[str], asked: Asked, limit: float
    ) -> Steps[tuple[str, Outcome]]:
        second = None
        hedged = asked.route.session is not None and asked.route.action in HEDGED_ACTIONS
        if self.policy.hedge is not None and hedged and asked.method == "GET":
            second = self.pool.claim(asked.route.session, tried | {name})
        if second is None or second == name or self.policy.hedge is None:
            return name, (yield from self.attempt(name, asked, limit))
        sends = [
            Send(one, asked.method, asked.target, asked.headers, asked.content, limit)
            for one in (name, second)
        ]
        began = {one: self.pool.begin(one) for one in (name, second)}
        winner: str = name
        outcome: Outcome | None = None
        try:
            sent, outcome = yield SendEither(sends[0], sends[1], self.policy.hedge)
            winner = sent.instance
        finally:
            for one in (name, second):
                ended = outcome if one == winner else None
                seconds = self.pool.end(one, began[one], ended, True)
                kind = ended.kind.value if ended is not None else "hedged"
                self.hooks.tell("attempt", asked.name, one, kind, seconds)
        return winner, outcome

    def _create(self, asked: Asked) -> Steps[httpx.Response]:
        drawn = 0
        if self._must_choose():
            found = yield from self._draw_at_once(asked)
            if found is not None:
                return found
            drawn = AT_ONCE
        while True:
            drawn += 1
            name, response = yield from self._create_once(asked)
            session = _json(response).get("session_id")
            if response.status_code != 200 or not isinstance(session, str):
                return response
            if asked.deadline.left < LEAST_TO_DRAW or self._is_good(session, drawn):
                self.ledgers.created(session)
                return response
            yield self._undo(name, session)

    def _undo(self, name: str, session: str) -> Forget:
        target = f"/sessions/{session}".encode()
        return Forget(Send(name, "DELETE", target, NO_HEADERS, b"", self.policy.connect))

    def _must_choose(self) -> bool:
        """True when some instance should get no new sessions."""
        if self.policy.through_balancer or len(self.pool.names) == 1 or self.policy.steer == 1:
            return False
        return bool(self.pool.out()) or self.pool.weighting.has_slow(self.pool.names)

    def _draw_at_once(self, asked: Asked) -> Steps[httpx.Response | None]:
        """Draw some at the same time, so that choosing takes no longer than not choosing."""
        sends, began = [], []
        for _ in range(AT_ONCE):
            name = self.pool.claim(None, NOBODY)
            if name is not None:
                began.append(self.pool.begin(name))
                sends.append(Send(name, asked.method, asked.target, asked.headers, asked.content,
                                  asked.deadline.left / 2))  # fmt: skip
        outcomes: list[Outcome | None] = [None] * len(sends)
        try:
            outcomes = yield SendAll(tuple(sends))
        finally:
            for send, start, outcome in zip(sends, began, outcomes, strict=True):
                seconds = self.pool.end(send.instance, start, outcome, True)
                kind = outcome.kind.value if outcome is not None else "cancelled"
                self.hooks.tell("attempt", asked.name, send.instance, kind, seconds)
        kept = None
        for send, outcome in zip(sends, outcomes, strict=True):
            session = _json(outcome.response).get("session_id") if outcome is not None else None
            if outcome is None or outcome.status != 200 or not isinstance(session, str):
                continue
            if kept is None and self._is_good(session, AT_ONCE):
                kept = outcome.response
                self.ledgers.created(session)
            else:
                yield self._undo(send.instance, session)
        return kept

    def _is_good(self, session: str, drawn: int) -> bool:
        """The session's owner, now and when all are back, should get new sessions. That it serves
        is a must; that it is quick is worth a few draws."""
        if self.policy.through_balancer or len(self.pool.names) == 1 or self.policy.steer == 1:
            return True
        owner = self.pool.placement.owner(session)
        serving = self.pool.serving()
        if owner not in serving:
            return drawn >= MOST_DRAWS
        return drawn >= self.policy.steer or self.pool.weighting.good_enough(owner, serving)

    def _create_once(self, asked: Asked) -> Steps[tuple[str, httpx.Response]]:
        tried: frozenset[str] = NOBODY
        name, outcome = None, None
        for number in range(self.policy.attempts):
            name = self.pool.claim(None, tried)
            if name is None:
                tried = NOBODY
                name = self.pool.claim(None, tried)
            if name is None or asked.deadline.left <= 0:
                break
            last = number == self.policy.attempts - 1
            limit = asked.deadline.left if last else asked.deadline.left / 2
            outcome = yield from self.attempt(name, asked, limit)
            if outcome.response is not None and (
                outcome.kind is Kind.ANSWERED
                or (outcome.kind is Kind.FAILED and outcome.status not in TRY_ELSEWHERE)
            ):
                return name, outcome.response
            # Once more is harmless: a session that nobody knows expires.
            tried = tried | {name}
            if not last:
                yield from self.pause(asked, number, outcome, name)
        if outcome is not None and outcome.response is not None and name is not None:
            return name, outcome.response
        if asked.deadline.left <= 0 or (outcome is not None and outcome.kind is Kind.SILENT):
            raise self.late(asked, name, outcome)
        raise self.gave_up(asked, name, outcome)


def _json(response: httpx.Response | None) -> dict[str, Any]:
    try:
        found = json.loads(response.content) if response is not None else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
