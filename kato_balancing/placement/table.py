"""A placement for people, readable from 80 columns on."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kato_balancing.placement.figures import Balance, Move

_BAR = 24


def print_placement(
    console: Console, title: str, before: Balance, after: Balance | None, move: Move | None
) -> None:
    """Servers with their sessions and shares, then how even it is and what moves."""
    shown = after or before
    table = Table(title=Text(title), title_justify="left", expand=False)
    table.add_column("server", overflow="fold")
    if after is not None:
        table.add_column("before", justify="right")
        table.add_column("after", justify="right")
    else:
        table.add_column("sessions", justify="right")
    table.add_column("share", justify="right")
    table.add_column("expected", justify="right")
    table.add_column("of the fullest", width=_BAR)
    fullest = max(shown.per_server.values()) or 1
    for name in dict.fromkeys((*before.per_server, *shown.per_server)):
        count = shown.per_server.get(name, 0)
        figures = [f"{before.per_server.get(name, 0):,}"] if after is not None else []
        table.add_row(
            Text(name),
            *figures,
            f"{count:,}",
            f"{count / shown.sessions:.1%}",
            f"{shown.expected.get(name, 0):.1%}",
            "█" * round(_BAR * count / fullest),
        )
    console.print(table)
    _line(
        console,
        f"fullest {shown.max_to_mean:.3f} of the mean, emptiest {shown.min_to_mean:.3f}; expected "
        f"{shown.expected_max_to_mean:.3f} and {shown.expected_min_to_mean:.3f}",
    )
    if shown.unowned:
        _line(console, f"{shown.unowned:,} sessions have no owner: nearly all servers are draining")
    if move is not None:
        _line(
            console,
            f"moved {move.total:,} of {move.sessions:,} ({move.share:.2%}): {move.to_new:,} to new "
            f"servers, {move.from_gone:,} from servers that are gone, {move.old_to_old:,} between "
            "servers that stay",
        )


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)
