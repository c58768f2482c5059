"""``kato-lb monitoring``: the Prometheus rules or the Grafana dashboard, for whoever runs both."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from kato_balancing.monitoring import dashboard, rules

DONE: Final = 0

_DOCUMENTS: Final[Mapping[str, Callable[[], str]]] = {
    "rules": rules.document,
    "dashboard": dashboard.document,
}

_EPILOG: Final = """\
exit codes:
  0  written
  2  wrong arguments, or a file that can't be written
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb monitoring`` to ``parser``."""
    parser.description = (
        "Write the alerts as Prometheus rules (YAML), or the panels as a Grafana dashboard (JSON)."
    )
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("document", choices=sorted(_DOCUMENTS))
    parser.add_argument("--out", metavar="FILE", help="file to write (default: standard output)")


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Write it; ends through ``parser.error`` on a file that can't be written."""
    text = _DOCUMENTS[arguments.document]()
    if arguments.out is None:
        sys.stdout.write(text)
        return DONE
    try:
        Path(arguments.out).write_text(text, encoding="utf-8")
    except OSError as error:
        parser.error(f"--out: can't be written ({error})")
    return DONE
