"""Arguments of every command that works on a deployed stack, and its progress."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from kato_balancing.operations.stack import Stack, Tell


def add_stack(parser: argparse.ArgumentParser) -> None:
    """Add ``--cwd``, ``--stack`` and ``--json``."""
    parser.add_argument(
        "--cwd", metavar="FOLDER", type=Path, default=Path(), help="the project's (default: .)"
    )
    parser.add_argument("--stack", metavar="NAME", help="default: the selected one")
    parser.add_argument(
        "--json", action="store_true", help="print the report as JSON instead of a table"
    )


def add_limit(parser: argparse.ArgumentParser, default: float) -> None:
    """Add ``--limit``."""
    parser.add_argument(
        "--limit",
        metavar="SECONDS",
        type=positive_seconds,
        default=default,
        help="that a replica may have something in flight (default: %(default)g)",
    )


def positive_seconds(text: str) -> float:
    """A time that a user gave; raises ArgumentTypeError with the rule."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        rule = f"{text!r} is not a positive number of seconds; use one such as 60"
        raise argparse.ArgumentTypeError(rule)
    return seconds


def stack_of(arguments: argparse.Namespace) -> Stack:
    """The stack that the arguments name; raises StackError."""
    return Stack.select(arguments.cwd, arguments.stack)


def line(text: str) -> None:
    """Write a line to stderr as it is: an engine's line may have brackets."""
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress() -> Iterator[Tell]:
    """What happens now, on stderr: in one line that changes, or a line each without a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield line
        return
    with console.status("starting") as status:
        yield lambda text: status.update(escape(text))
