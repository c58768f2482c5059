"""What was done to each replica, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

Seconds = Annotated[float, Field(ge=0)]


class OperationError(RuntimeError):
    """A step failed, and the ones after it were not begun; says what serves and how to go on."""


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """What was done to one replica."""

    replica: str
    connections: Annotated[int, Field(ge=0)] | None
    """The balancer's connections when the drain began, idle ones too; None where the platform
    drains by itself."""
    drained_seconds: Seconds
    """From the drain's begin until nothing was in flight."""
    healthy_seconds: Seconds | None
    """From then until the new one was healthy; None when nothing was replaced."""


def print_reports(title: str, reports: Sequence[ReplicaReport], console: Console) -> None:
    """A line for each replica; readable from 80 columns on."""
    table = Table(title=Text(title), title_justify="left")
    table.add_column("replica", overflow="fold")
    for column in ("connections", "drained after", "healthy after"):
        table.add_column(column, justify="right")
    for one in reports:
        connections = "not counted" if one.connections is None else str(one.connections)
        healthy = "-" if one.healthy_seconds is None else f"{one.healthy_seconds:.1f} s"
        table.add_row(Text(one.replica), connections, f"{one.drained_seconds:.1f} s", healthy)
    console.print(table)
