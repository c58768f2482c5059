"""The page of a replacement or a drain: what became of each replica, and how long it took."""

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from kato_balancing.operations.report import ReplicaReport
from kato_balancing.report.bars import bar_chart
from kato_balancing.report.markup import element
from kato_balancing.report.replicas_document import Replicas
from kato_balancing.report.sheet import sheet
from kato_balancing.report.tables import Cell, table

_DRAINED: Final = "until drained"
_HEALTHY: Final = "until healthy"


def replicas_page(found: Replicas) -> str:
    """The page's text: what failed, a line and bars for each replica."""
    title = "Replaced replicas" if _replaced(found) else "Drained replicas"
    return sheet(title, element("h1", {}, title), *_banner(found), *_replicas(found))


def _replaced(found: Replicas) -> bool:
    # Only a replacement fails after it began; a drain that fails prints no document.
    return found.problem is not None or any(
        one.healthy_seconds is not None for one in found.replicas
    )


def _banner(found: Replicas) -> Iterator[Element]:
    if found.problem is not None:
        yield element("p", {"class": "banner broken"}, f"Not done: {found.problem}")
    elif _replaced(found):
        yield element("p", {"class": "banner holds"}, "Done: each is new and healthy.")
    else:
        yield element("p", {"class": "banner holds"}, "Done: nothing is in flight there.")


def _replicas(found: Replicas) -> Iterator[Element]:
    if not found.replicas:
        yield element("p", {}, "No replica was done before it failed.")
        return
    headings = ("replica", "connections at the start", "drained after", "healthy after")
    yield table("What became of each, in this order", headings, list(map(_row, found.replicas)))
    bars = {_DRAINED: {_label(n, one): one.drained_seconds for n, one in _numbered(found)}}
    if _replaced(found):
        bars[_HEALTHY] = {_label(n, one): one.healthy_seconds or 0.0 for n, one in _numbered(found)}
    yield element("figure", {}, bar_chart("Seconds for each replica", bars))


def _numbered(found: Replicas) -> Iterator[tuple[int, ReplicaReport]]:
    return enumerate(found.replicas, 1)


def _label(number: int, one: ReplicaReport) -> str:
    # A replica may have been replaced twice; each time has its own bar.
    return f"{number}. {one.replica}"


def _row(one: ReplicaReport) -> tuple[Cell, ...]:
    return (
        one.replica,
        "not counted" if one.connections is None else str(one.connections),
        f"{one.drained_seconds:.1f} s",
        "-" if one.healthy_seconds is None else f"{one.healthy_seconds:.1f} s",
    )
