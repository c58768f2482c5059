"""``kato-lb watch``: a screen with the instances of KATO as a client sees them."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kato_balancing.client import FailoverClient, HealthSettings, InstanceState, KatoError, Policy

SERVES: Final = 0
DOES_NOT_SERVE: Final = 1

_EPILOG: Final = """\
exit codes:
  0  at the end every instance was up
  1  at least one was not
  2  wrong arguments

Besides the health checks it asks each instance for a session that does not exist
(GET /sessions/lb-probe/exists, no effect on KATO), to show how fast it answers.
"""

_STYLES: Final = {"up": "green", "down": "bold red", "closed": "green", "half-open": "yellow",
                  "open": "bold red"}  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb watch`` to ``parser``."""
    parser.description = (
        "Watch instances of KATO: up or down, breaker, calls in flight, latency. Ends with Ctrl-C."
    )
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("urls", metavar="URL", nargs="+", help="e.g. http://127.0.0.1:8000")
    parser.add_argument("--seconds", type=float, help="end after this time (default: never)")
    parser.add_argument(
        "--interval", type=float, default=1.0, help="seconds between checks (default 1)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line per interval")


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Watch; 0 when all instances were up at the end, 1 otherwise."""
    if arguments.interval <= 0 or (arguments.seconds is not None and arguments.seconds <= 0):
        parser.error("--interval and --seconds must be positive")
    policy = Policy(
        attempts=1,
        deadline=max(1.0, arguments.interval),
        health=HealthSettings(interval=arguments.interval),
    )
    try:
        clients = [FailoverClient([url], policy) for url in dict.fromkeys(arguments.urls)]
    except ValueError as error:
        parser.error(str(error))
    try:
        return _watch(clients, arguments)
    finally:
        for client in clients:
            client.close()


def _watch(clients: list[FailoverClient], arguments: argparse.Namespace) -> int:
    until = None if arguments.seconds is None else time.monotonic() + arguments.seconds
    console = Console()
    states: list[InstanceState] = []
    with Live(console=console, auto_refresh=False, transient=False) as live:
        try:
            while until is None or time.monotonic() < until:
                for client in clients:
                    _measure(client)
                states = [state for client in clients for state in client.states()]
                if arguments.json:
                    sys.stdout.write(json.dumps([asdict(state) for state in states]) + "\n")
                    sys.stdout.flush()
                else:
                    live.update(screen(states), refresh=True)
                time.sleep(arguments.interval)
        except KeyboardInterrupt:
            pass
    return SERVES if all(state.up for state in states) else DOES_NOT_SERVE


def _measure(client: FailoverClient) -> None:
    try:
        client.request("GET", "/sessions/lb-probe/exists")
    except KatoError:
        return  # the health checks and the breaker tell


def screen(states: list[InstanceState]) -> Table:
    """The instances as a table; readable from 80 columns on."""
    table = Table(title="KATO instances", title_justify="left")
    table.add_column("instance", overflow="fold")
    table.add_column("state")
    table.add_column("breaker")
    for column in ("in flight", "latency"):
        table.add_column(column, justify="right")
    table.add_column("last check", overflow="fold")
    for state in states:
        latency = "?" if state.latency is None else f"{1000 * state.latency:.1f} ms"
        table.add_row(
            Text(state.url),
            _word("up" if state.up else "down"),
            _word(state.breaker.value),
            str(state.in_flight),
            latency,
            Text(state.check),
        )
    return table


def _word(word: str) -> Text:
    return Text(word, style=_STYLES[word])
