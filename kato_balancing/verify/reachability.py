"""Check: KATO and its Redis answer through the balancer."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx

from kato_balancing.verify.asking import Answer, ask
from kato_balancing.verify.explain import meaning
from kato_balancing.verify.options import CheckName
from kato_balancing.verify.progress import Progress, silent
from kato_balancing.verify.report import CheckResult, Verdict
from kato_balancing.verify.sessions import create_session, delete_sessions, new_run, node_id
from kato_balancing.verify.target import Target

PROBE_PATH = "/sessions/lb-probe/exists"


@dataclass(frozen=True, slots=True)
class ReachabilityFigures:
    """The answers: a status code, or the name of what went wrong; ``-`` when not asked."""

    health: str
    exists: str
    create: str
    slowest_seconds: float


async def check_reachability(target: Target, progress: Progress = silent) -> CheckResult:
    """Holds when ``GET /health``, ``GET /sessions/lb-probe/exists`` and ``POST /sessions`` do.

    The body of ``/health`` is not looked at: it tells how the host is, not whether KATO works.
    """
    async with target.client(1) as client:
        health = await ask(target, client, "GET", "/health")
        progress("asking KATO", 1, 3)
        if health.status is None:
            # Nothing answers at all: the other two would only say so again, one timeout later.
            return _result((health, None, None), (_no_answer(target, health),))
        exists = await ask(target, client, "GET", PROBE_PATH)
        progress("asking KATO", 2, 3)
        created = await create_session(target, client, node_id(new_run(), 0))
        progress("asking KATO", 3, 3)

    if isinstance(created, Answer) and {exists.kind, created.kind} == {health.kind} != {"200"}:
        # One fault in front of all three: three cures would only bury the one that helps.
        return _result((health, exists, created), (_wrong("Every request", health, _health_cure),))
    messages = []
    if not health.ok:
        messages.append(_wrong("GET /health", health, _health_cure))
    if not exists.ok:
        messages.append(_wrong(f"GET {PROBE_PATH}", exists, _exists_cure))
    elif not (isinstance(exists.body, dict) and "exists" in exists.body):
        messages.append(
            f"GET {PROBE_PATH} answers 200 without a field 'exists': this is not KATO. Give the "
            "address of a balancer in front of KATO."
        )
    if isinstance(created, str):
        left = await delete_sessions(target, [created])
        notes = () if left is None else (left,)
        return _result((health, exists, None), tuple(messages), notes)
    if created.ok:
        messages.append(
            "POST /sessions answers 200 without a session_id: this is not KATO. Give the address "
            "of a balancer in front of KATO."
        )
    else:
        messages.append(_wrong("POST /sessions", created, _create_cure))
    return _result((health, exists, created), tuple(messages))


def _result(
    answers: tuple[Answer, Answer | None, Answer | None],
    broken: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> CheckResult:
    health, exists, refused = answers
    if exists is None:
        create = "-"
    elif refused is None:
        create = "200"
    else:
        create = refused.kind
    figures = ReachabilityFigures(
        health=health.kind,
        exists="-" if exists is None else exists.kind,
        create=create,
        slowest_seconds=round(max(a.seconds for a in answers if a is not None), 3),
    )
    return CheckResult(
        name=CheckName.REACHABILITY,
        verdict=Verdict.BROKEN if broken else Verdict.HOLDS,
        figures=figures,
        summary=f"health {figures.health}, Redis {figures.exists}, new session {figures.create}",
        messages=broken + notes,
    )


def _no_answer(target: Target, answer: Answer) -> str:
    detail = f" ({answer.detail})" if answer.detail else ""
    return (
        f"{target.base} does not answer, {answer.kind}{detail}: {meaning(answer.kind)}. "
        "Start the balancer or correct the address."
    )


def _wrong(request: str, answer: Answer, cure: Callable[[Answer], str]) -> str:
    if answer.status is None:
        detail = f" ({answer.detail})" if answer.detail else ""
        return f"{request} ends in {answer.kind}{detail}: {meaning(answer.kind)}. {cure(answer)}"
    if httpx.codes.is_redirect(answer.status):
        return (
            f"{request} is redirected, to {answer.location!r}. Checks do not follow redirects, "
            "since clients of KATO should not have to: use the address it leads to."
        )
    return f"{request} answers {answer.kind}. {cure(answer)}"


def _health_cure(answer: Answer) -> str:
    if answer.status == httpx.codes.NOT_FOUND:
        return (
            "There is something, but not KATO: check the port and the path prefix, and that the "
            "balancer forwards /health."
        )
    return f"It means: {meaning(answer.kind)}."


def _exists_cure(answer: Answer) -> str:
    if answer.status is None:
        return "When only this request is slow, KATO's Redis hangs: check Redis."
    if answer.status == httpx.codes.INTERNAL_SERVER_ERROR:
        return "KATO runs but cannot reach its Redis: check REDIS_URL and Redis itself."
    if answer.status == httpx.codes.NOT_FOUND:
        return (
            "KATO answers 200 here for any session: this is not KATO, or the balancer does not "
            "forward /sessions/."
        )
    return f"It means: {meaning(answer.kind)}."


def _create_cure(answer: Answer) -> str:
    if answer.status == httpx.codes.INTERNAL_SERVER_ERROR:
        return "KATO could not store a session: check REDIS_URL and Redis itself."
    if answer.status in {httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED}:
        return "This is not KATO, or the balancer does not forward POST /sessions."
    return f"It means: {meaning(answer.kind)}."
