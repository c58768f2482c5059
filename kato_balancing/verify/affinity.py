"""Check: every session has one server, however a request names the session."""

import secrets
from dataclasses import dataclass, replace

import httpx

from kato_balancing.verify.affinity_verdict import Sighting, is_failed, judge
from kato_balancing.verify.asking import ask
from kato_balancing.verify.parallel import in_parallel
from kato_balancing.verify.progress import Progress, silent
from kato_balancing.verify.report import CheckResult
from kato_balancing.verify.sessions import AT_ONCE, OwnSessions
from kato_balancing.verify.target import Target
from kato_balancing.verify.traffic import TrafficRecord
from kato_balancing.verify.ways import WAYS, Way

REPEATS = 2
"""Requests for each session, each way and each kind of connection."""


@dataclass(frozen=True, slots=True)
class _Question:
    session: str
    way: Way
    client: httpx.AsyncClient


async def check_affinity(
    target: Target, sessions: int, *, allow_one_server: bool = False, progress: Progress = silent
) -> CheckResult:
    """Asks for every session in every way, over kept and over fresh connections.

    Both kinds, since a balancer that binds a connection to a server looks affine on kept ones.
    Only requests that change nothing are sent. Raises
    :class:`~kato_balancing.verify.sessions.SessionsRefusedError`.
    """
    async with OwnSessions(target, sessions, progress) as own:
        seen = TrafficRecord(is_failed)
        sightings = await _look(target, own.ids, seen, progress)
        traffic = seen.traffic()
    result = judge(
        sightings,
        server_header=target.server_header,
        allow_one_server=allow_one_server,
        notes=own.notes,
    )
    return replace(result, traffic=traffic)


async def _look(
    target: Target, sessions: tuple[str, ...], seen: TrafficRecord, progress: Progress
) -> list[Sighting]:
    async with target.client(AT_ONCE) as kept, target.client(AT_ONCE, kept=0) as fresh:
        questions = [
            _Question(session, way, client)
            for session in sessions
            for way in WAYS
            for client in (kept, fresh)
            for _ in range(REPEATS)
        ]
        # In a fixed order round robin could fall in step with the questions and look affine.
        secrets.SystemRandom().shuffle(questions)
        done = 0

        async def look(question: _Question) -> Sighting:
            nonlocal done
            answer = await ask(
                target,
                question.client,
                "GET",
                question.way.path(question.session),
                headers=dict(question.way.headers(question.session)),
            )
            seen.answered("GET", answer)
            done += 1
            progress("asking which server answers", done, len(questions))
            return Sighting(question.session, question.way.name, answer)

        return await in_parallel(questions, look, AT_ONCE)
