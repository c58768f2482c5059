"""Check: overlapping observations of one session are all kept, each once."""

import secrets
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Final

import httpx

from kato_balancing.verify.accounting import account
from kato_balancing.verify.asking import Answer, ask, observation, session_path
from kato_balancing.verify.explain import failures_in_words
from kato_balancing.verify.options import CheckName
from kato_balancing.verify.parallel import in_parallel
from kato_balancing.verify.progress import Progress, silent
from kato_balancing.verify.report import CheckResult, Verdict
from kato_balancing.verify.sessions import AT_ONCE, OwnSessions, StoredMemory, read_memory
from kato_balancing.verify.target import Target
from kato_balancing.verify.traffic import TrafficRecord

LEAST_OVERLAP: Final = 0.05
"""Share of the writes that must have met another write of their session for a verdict."""

BURST: Final = 4
"""Observations of one session that are sent right after each other. What leaves together arrives
together: the processes behind the balancer then hold one session at the same moment, also where
they answer faster than this client asks."""

GIVE_UP_FACTOR: Final = 2
"""Writing stops after this many failures in a row for each writer: nothing is behind it."""


@dataclass(frozen=True, slots=True)
class OverlapFigures:
    """What was written and what became of it. All figures but the last two are observations."""

    sent: int
    acknowledged: int
    overlapped: int
    """Sent while another observation of the same session was in flight."""
    lost: int
    """Acknowledged, but not in the session's memory at the end."""
    lost_share: float
    """Of the acknowledged ones."""
    doubled: int
    """In the session's memory more than once."""
    failed: int
    """Answered by anything but 200, or not at all."""
    failure_kinds: dict[str, int]
    """Failures by status code or exception."""
    unacknowledged_present: int
    """Failed for the client, but kept by KATO: allowed, the answer got lost."""
    foreign: int
    """In a session's memory, but written by nobody here."""
    stored_events: int
    """Length of all memories together."""
    sessions: int
    unread_sessions: int
    """Sessions whose memory could not be read in three attempts."""


@dataclass(slots=True)
class _Writing:
    """What was written, as it happens."""

    acknowledged: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unacknowledged: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    overlapped: set[str] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    auto_learned: int = 0
    failures_in_a_row: int = 0
    sent: int = 0


async def check_overlap(
    target: Target,
    *,
    sessions: int,
    writers: int,
    observations: int,
    progress: Progress = silent,
) -> CheckResult:
    """Writes ``observations`` with ``writers`` in flight, then compares by content.

    Observations only: KATO itself loses overlapping configuration changes and learns, whatever
    the balancer does. Raises :class:`~kato_balancing.verify.sessions.SessionsRefusedError`.
    """
    async with OwnSessions(target, sessions, progress) as own:
        work = _mixed(own.ids, own.run, observations)
        seen = TrafficRecord()
        writing = await _write(target, work, writers, seen, progress)
        traffic = seen.traffic()
        memories = await _read(target, own.ids, progress)
    return replace(_judge(writing, memories, observations, own.notes), traffic=traffic)


def _mixed(sessions: tuple[str, ...], run: str, observations: int) -> list[tuple[str, str]]:
    """Sessions and tokens: as many for each session, in bursts, the bursts in random order."""
    rounds = range(0, observations, len(sessions))
    per_session = [
        [(session, f"{run}-{first + number}") for first in rounds if first + number < observations]
        for number, session in enumerate(sessions)
    ]
    bursts = [
        writes[start : start + BURST]
        for writes in per_session
        for start in range(0, len(writes), BURST)
    ]
    secrets.SystemRandom().shuffle(bursts)
    return [write for burst in bursts for write in burst]


async def _write(
    target: Target,
    work: list[tuple[str, str]],
    writers: int,
    seen: TrafficRecord,
    progress: Progress,
) -> _Writing:
    writing = _Writing()
    in_flight: dict[str, set[str]] = defaultdict(set)
    async with target.single_clients(writers) as free:

        async def write(item: tuple[str, str]) -> None:
            session, token = item
            if writing.failures_in_a_row >= GIVE_UP_FACTOR * writers:
                return
            others = in_flight[session]
            if others:
                writing.overlapped.update(others, (token,))
            others.add(token)
            writing.sent += 1
            client = free.pop()
            answer = await _observe(target, client, session, token)
            free.append(client)
            seen.answered("POST", answer)
            others.discard(token)
            if answer.ok:
                writing.acknowledged[session].append(token)
                writing.auto_learned += bool(answer.text("auto_learned_pattern"))
                writing.failures_in_a_row = 0
            else:
                writing.unacknowledged[session].append(token)
                writing.kinds[answer.kind] += 1
                writing.failures_in_a_row += 1
            progress("writing observations", writing.sent, len(work))

        await in_parallel(work, write, writers)
    return writing


async def _observe(target: Target, client: httpx.AsyncClient, session: str, token: str) -> Answer:
    path = session_path(session, "/observe")
    return await ask(target, client, "POST", path, body=observation(token))


async def _read(
    target: Target, sessions: tuple[str, ...], progress: Progress
) -> dict[str, StoredMemory | Answer]:
    done = 0
    async with target.client(AT_ONCE) as client:

        async def read(session: str) -> tuple[str, StoredMemory | Answer]:
            nonlocal done
            memory = await read_memory(target, client, session)
            done += 1
            progress("reading memories", done, len(sessions))
            return session, memory

        return dict(await in_parallel(sessions, read, AT_ONCE))


def _judge(
    writing: _Writing,
    memories: dict[str, StoredMemory | Answer],
    planned: int,
    notes: tuple[str, ...],
) -> CheckResult:
    figures, unread = _figures(writing, memories)
    broken = _what_is_broken(figures, writing, planned)
    open_questions = _what_is_open(figures, writing, unread)
    if broken:
        verdict = Verdict.BROKEN
    elif open_questions:
        verdict = Verdict.UNDECIDED
    else:
        verdict = Verdict.HOLDS
    asides = _asides(figures)
    return CheckResult(
        name=CheckName.OVERLAP,
        verdict=verdict,
        figures=figures,
        summary=f"{figures.lost} of {figures.acknowledged} acknowledged observations lost "
        f"({figures.lost_share:.1%}), {figures.doubled} doubled, {figures.failed} failed",
        messages=broken + open_questions + asides + notes,
    )


def _figures(
    writing: _Writing, memories: dict[str, StoredMemory | Answer]
) -> tuple[OverlapFigures, Counter[str]]:
    lost = doubled = present = foreign = stored = 0
    unread: Counter[str] = Counter()
    for session, memory in memories.items():
        if isinstance(memory, Answer):
            unread[memory.kind] += 1
            continue
        found = account(
            writing.acknowledged.get(session, ()),
            writing.unacknowledged.get(session, ()),
            memory.tokens,
        )
        lost += len(found.lost)
        doubled += len(found.doubled)
        present += len(found.unacknowledged_present)
        foreign += len(found.foreign)
        stored += memory.length
    acknowledged = sum(map(len, writing.acknowledged.values()))
    figures = OverlapFigures(
        sent=writing.sent,
        acknowledged=acknowledged,
        overlapped=len(writing.overlapped),
        lost=lost,
        lost_share=round(lost / acknowledged, 4) if acknowledged else 0.0,
        doubled=doubled,
        failed=writing.kinds.total(),
        failure_kinds=dict(sorted(writing.kinds.items())),
        unacknowledged_present=present,
        foreign=foreign,
        stored_events=stored,
        sessions=len(memories),
        unread_sessions=unread.total(),
    )
    return figures, unread


def _what_is_broken(figures: OverlapFigures, writing: _Writing, planned: int) -> tuple[str, ...]:
    messages = []
    # Memories that KATO empties by learning from them prove nothing about the balancer.
    if figures.lost and not writing.auto_learned:
        messages.append(
            f"{figures.lost} observations that KATO acknowledged are gone: two processes changed "
            "one session at the same time. Either the balancer spreads a session over servers (the "
            "affinity check shows it), or a replica runs more than one worker: set KATO_WORKERS=1 "
            "and add replicas instead."
        )
    if figures.doubled:
        messages.append(
            f"{figures.doubled} observations are stored more than once: something sent them again. "
            "Never repeat a POST that may have arrived: in nginx no non_idempotent, in HAProxy "
            "retry-on conn-failure only."
        )
    if figures.failed:
        messages.append(
            f"{figures.failed} of {figures.sent} observations failed. "
            + " ".join(failures_in_words(figures.failure_kinds))
        )
    if figures.sent < planned:
        messages.append(
            f"Writing stopped after {figures.sent} of {planned} observations, since only failures "
            "came back."
        )
    return tuple(messages)


def _what_is_open(
    figures: OverlapFigures, writing: _Writing, unread: Counter[str]
) -> tuple[str, ...]:
    messages = []
    if writing.auto_learned:
        messages.append(
            f"KATO learned by itself {writing.auto_learned} times and emptied the memories that "
            "would have been compared. Set MAX_PATTERN_LENGTH=0 for this check."
        )
    if unread:
        messages.append(
            f"The memory of {figures.unread_sessions} of {figures.sessions} sessions could not be "
            "read. " + " ".join(failures_in_words(unread))
        )
    if figures.overlapped < LEAST_OVERLAP * figures.sent:
        messages.append(
            f"Only {figures.overlapped} of {figures.sent} observations overlapped with another of "
            "their session, too few to show lost updates. Use fewer --sessions or more --writers."
        )
    return tuple(messages)


def _asides(figures: OverlapFigures) -> tuple[str, ...]:
    messages = []
    if figures.unacknowledged_present:
        messages.append(
            f"{figures.unacknowledged_present} observations that failed for the client are stored "
            "all the same: a client must look before it repeats an observation."
        )
    if figures.foreign:
        messages.append(
            f"{figures.foreign} stored strings were not written by this check: another client used "
            "its sessions, or KATO mixed sessions up."
        )
    return tuple(messages)
