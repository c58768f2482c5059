"""A report for people, readable from 80 columns on."""

from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kato_balancing.verify.report import Report, Verdict

_MARKS: Final = {
    Verdict.HOLDS: ("yes", "green"),
    Verdict.BROKEN: ("NO", "bold red"),
    Verdict.UNDECIDED: ("undecided", "yellow"),
}


def print_report(report: Report, console: Console) -> None:
    """A line for each check, then what was found in plain words.

    Text only, no markup: names and messages partly come from the balancer.
    """
    table = Table(title=Text(f"KATO behind {report.url}"), title_justify="left", expand=False)
    table.add_column("check", no_wrap=True)
    table.add_column("holds?", no_wrap=True)
    table.add_column("figures")
    for check in report.checks:
        word, style = _MARKS[check.verdict]
        table.add_row(Text(str(check.name)), Text(word, style=style), Text(check.summary))
    console.print(table)
    for check in report.checks:
        if check.messages:
            console.print(Text(f"\n{check.name}", style="bold"))
        for message in check.messages:
            console.print(Padding(Text(message), (0, 0, 0, 2)))
