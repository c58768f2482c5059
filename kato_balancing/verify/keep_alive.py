"""Check: connections that idle as long as KATO's own limit bring no failures."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kato_balancing.verify.asking import ask, observation, session_path
from kato_balancing.verify.explain import failures_in_words
from kato_balancing.verify.options import CheckName
from kato_balancing.verify.progress import Progress, silent
from kato_balancing.verify.report import CheckResult, Verdict
from kato_balancing.verify.sessions import OwnSessions
from kato_balancing.verify.target import Target
from kato_balancing.verify.traffic import TrafficRecord

EARLIEST: Final = -0.03
LATEST: Final = 0.005
"""Seconds around the interval over which the connections' pauses are spread. The race is won or
lost within about a millisecond, a round trip before the interval is over."""

_IDLE_KINDS: Final = frozenset({"502", "ReadError", "WriteError", "RemoteProtocolError"})
"""Failures that a connection closed while idle can bring."""

_IDLE_CURE: Final = (
    " Let every side close idle connections earlier than the side behind it: the balancer towards "
    "KATO before KATO's 5 s (in nginx keepalive_timeout 4s in the upstream, in HAProxy "
    "pool-purge-delay 200ms, since it closes only half of them each time), the client before the "
    "balancer."
)


@dataclass(frozen=True, slots=True)
class KeepAliveFigures:
    """What the connections that were kept went through."""

    connections: int
    requests: int
    failed: int
    failed_share: float
    failure_kinds: dict[str, int]
    """Failures by status code or exception."""
    pause_seconds: float
    reopened: int
    """Connections that the balancer had closed by the time they were needed again: harmless by
    itself, the client noticed."""


@dataclass(slots=True)
class _Tally:
    sent: int = 0
    opened: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


async def check_keep_alive(
    target: Target,
    *,
    connections: int,
    rounds: int,
    interval: float,
    progress: Progress = silent,
) -> CheckResult:
    """Each of ``connections`` sends ``rounds`` observations, ``interval`` seconds apart.

    Holds when none fails. Lasts about ``(rounds - 1) * interval`` seconds. Raises
    :class:`~kato_balancing.verify.sessions.SessionsRefusedError`.
    """
    tally = _Tally()
    seen = TrafficRecord()

    def sent(kind: str | None) -> None:
        tally.sent += 1
        if kind is not None:
            tally.kinds[kind] += 1
        progress("holding connections", tally.sent, connections * rounds)

    async def opened(event: str, info: dict[str, Any]) -> None:
        del info
        tally.opened += event == "connection.connect_tcp.complete"

    async def hold(session: str, pause: float) -> None:
        async with target.client(1) as client:
            for turn in range(rounds):
                if turn:
                    await asyncio.sleep(pause)
                answer = await ask(
                    target,
                    client,
                    "POST",
                    session_path(session, "/observe"),
                    body=observation(f"keep-alive-{turn}"),
                    extensions={"trace": opened},
                )
                seen.answered("POST", answer)
                sent(None if answer.ok else answer.kind)

    async with OwnSessions(target, connections, progress) as own, asyncio.TaskGroup() as group:
        for session, pause in zip(own.ids, _pauses(interval, connections), strict=True):
            group.create_task(hold(session, pause))
    result = _judge(tally, connections, interval, own.notes)
    return replace(result, traffic=seen.traffic())


def _pauses(interval: float, connections: int) -> list[float]:
    step = (LATEST - EARLIEST) / max(1, connections - 1)
    return [max(0.0, interval + EARLIEST + step * number) for number in range(connections)]


def _judge(tally: _Tally, connections: int, interval: float, notes: tuple[str, ...]) -> CheckResult:
    failed = tally.kinds.total()
    figures = KeepAliveFigures(
        connections=connections,
        requests=tally.sent,
        failed=failed,
        failed_share=round(failed / tally.sent, 4),
        failure_kinds=dict(sorted(tally.kinds.items())),
        pause_seconds=interval,
        reopened=max(0, tally.opened - connections),
    )
    messages: tuple[str, ...] = ()
    if failed:
        cure = _IDLE_CURE if figures.failure_kinds.keys() & _IDLE_KINDS else ""
        messages = (
            f"{failed} of {tally.sent} observations, sent {interval:g} s apart, failed. "
            + " ".join(failures_in_words(figures.failure_kinds))
            + cure,
        )
    return CheckResult(
        name=CheckName.KEEP_ALIVE,
        verdict=Verdict.BROKEN if failed else Verdict.HOLDS,
        figures=figures,
        summary=f"{failed} of {tally.sent} observations failed, {connections} connections, "
        f"{interval:g} s apart",
        messages=messages + notes,
    )
