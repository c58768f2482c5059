"""The page of a proof or a rollout: its verdict, its steps, check after check."""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from kato_balancing.report.bars import bar_chart
from kato_balancing.report.markup import element
from kato_balancing.report.run_document import (
    Check,
    Kind,
    Latency,
    PoolFigures,
    Run,
    Step,
    Traffic,
    Verdict,
)
from kato_balancing.report.sheet import sheet
from kato_balancing.report.tables import Cell, figures, table
from kato_balancing.report.timeline import PERCENTILES, milliseconds, timeline

_SUBJECTS: Final = {Kind.VERIFY: "Verification of", Kind.ROLLOUT: "Rollout behind"}
_VERDICTS: Final = {
    Verdict.HOLDS: "Holds: nothing was found that breaks a session or loses a request.",
    Verdict.BROKEN: "Does not hold.",
    Verdict.UNDECIDED: "Not decided: at least one check could not tell.",
}
_WORDS: Final = {
    Verdict.HOLDS: "✓ holds",
    Verdict.BROKEN: "✗ does not hold",
    Verdict.UNDECIDED: "? not decided",
}


def page(run: Run) -> str:
    """The page's text: the verdict, a rollout's steps, then check after check."""
    title = f"{_SUBJECTS[run.kind]} {run.url}"
    checks = (_check(number, check) for number, check in enumerate(run.checks))
    return sheet(title, *_verdict(run, title), *_steps(run.steps), *checks)


def _verdict(run: Run, title: str) -> Iterator[Element]:
    verdict = {True: Verdict.HOLDS, False: Verdict.BROKEN, None: Verdict.UNDECIDED}[run.holds]
    yield element("h1", {}, title)
    began = run.began.strftime("%Y-%m-%d %H:%M:%S %Z")
    yield element("p", {"class": "meta"}, f"kato-lb {run.kind}, begun {began}")
    yield element("p", {"class": f"banner {verdict}"}, _VERDICTS[verdict])
    rows = [(check.name, _word(check.verdict), check.summary) for check in run.checks]
    yield table("Checks", ("check", "verdict", "in short"), rows)


def _steps(steps: Sequence[Step]) -> Iterator[Element]:
    if not steps:
        return
    yield element("h2", {"id": "steps"}, "Rollout steps")
    stopped = next((step for step in steps if step.verdict is Verdict.BROKEN), None)
    if stopped is not None:
        why = f"Stopped at {stopped.share:g} %: {stopped.why}"
        yield element("p", {"class": "banner broken"}, why)
    reasons = [
        (
            f"{step.share:g} %",
            f"{step.at:.0f} to {step.at + step.seconds:.0f} s",
            _word(step.verdict),
            step.why,
        )
        for step in steps
    ]
    yield table("What was decided, and why", ("share", "when", "verdict", "why"), reasons)
    pools = [
        (f"{step.share:g} %", name, *_pool(pool))
        for step in steps
        for name, pool in (("primary", step.primary), ("canary", step.canary))
    ]
    headings = ("share", "pool", "requests", "failed", *PERCENTILES)
    yield table("What both pools did at each step", headings, pools)


def _pool(pool: PoolFigures) -> tuple[Cell, ...]:
    return (pool.requests, pool.failed, *_latency(pool.latency))


def _check(number: int, check: Check) -> Element:
    # Numbered, since a name could hold anything and an id must be unique.
    return element(
        "section",
        {"id": f"check-{number}"},
        element("h2", {}, f"{check.name} ", _word(check.verdict)),
        element("p", {}, check.summary),
        *_messages(check.messages),
        *figures(check.figures),
        *([] if check.traffic is None else _traffic(check.name, check.traffic)),
    )


def _messages(messages: Sequence[str]) -> Iterator[Element]:
    if messages:
        yield element("ul", {"class": "messages"}, *(element("li", {}, m) for m in messages))


def _traffic(name: str, traffic: Traffic) -> Iterator[Element]:
    yield element("h3", {}, "Distribution per server")
    if traffic.servers:
        title = f"{name}: good answers per server"
        yield element("figure", {}, bar_chart(title, {"good answers": traffic.servers}))
        total = sum(traffic.servers.values()) or 1
        shares = [(server, n, f"{n / total:.1%}") for server, n in traffic.servers.items()]
        yield table("Good answers per server", ("server", "good answers", "share"), shares)
    else:
        yield element("p", {}, "The balancer named no server.")
    yield element("h3", {}, "Latency over time")
    if traffic.series:
        title = f"{name}: latency and failures over time"
        yield element("figure", {}, timeline(title, traffic))
    whole = [(traffic.requests, traffic.failed, *_latency(traffic.latency))]
    headings = ("requests", "failed", *PERCENTILES)
    yield table(f"All requests, {traffic.seconds:.1f} s", headings, whole)
    if traffic.marks:
        events = [
            (number, f"{mark.at:.1f} s", mark.event) for number, mark in enumerate(traffic.marks, 1)
        ]
        yield table("Events, numbered as in the plot", ("no.", "at", "event"), events)
    yield element("h3", {}, "Failures")
    yield from _failures(traffic)


def _failures(traffic: Traffic) -> Iterator[Element]:
    if not traffic.failures:
        yield element("p", {}, "No request failed.")
        return
    rows = [
        (
            one.kind,
            one.method,
            one.count,
            f"{one.first:.1f} s" if one.count == 1 else f"{one.first:.1f} to {one.last:.1f} s",
            one.cause,
        )
        for one in traffic.failures
    ]
    headings = ("kind", "method", "requests", "when", "cause")
    yield table(f"{traffic.failed:,} of {traffic.requests:,} requests failed", headings, rows)


def _latency(latency: Latency | None) -> tuple[Cell, ...]:
    if latency is None:
        return (None,) * len(PERCENTILES)
    return tuple(milliseconds(value) for value in (latency.p50, latency.p95, latency.p99))


def _word(verdict: Verdict) -> Element:
    return element("span", {"class": f"verdict {verdict}"}, _WORDS[verdict])
