"""``kato-lb report``: a run's document in, one HTML page out."""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from kato_balancing.problems import InvalidInput
from kato_balancing.report.page import page
from kato_balancing.report.run_document import Run

DONE: Final = 0

_STANDARD: Final = "-"

_EPILOG: Final = """\
exit codes:
  0  written, whatever the run's verdict
  2  wrong arguments, a file that is not the document of a run, or one that can't be written
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb report`` to ``parser``."""
    parser.description = (
        "Write one HTML page from a run: tables and plots, readable in a browser without network "
        "and without scripts."
    )
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "run",
        metavar="RUN.json",
        help="what 'kato-lb verify --json' or 'kato-lb rollout --json' printed; - reads standard "
        "input",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        default="report.html",
        help="page to write; - is standard output (default: %(default)s)",
    )


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Write the page; ends through ``parser.error`` on a document or a file that can't be used."""
    try:
        text = page(Run.from_dict(json.loads(_read(arguments.run))))
    except OSError as error:
        parser.error(f"RUN.json: can't be read ({error}); give a file, or - for standard input")
    except (ValueError, RecursionError) as error:
        parser.error(f"RUN.json: {_why(error)}")
    if arguments.out == _STANDARD:
        sys.stdout.write(text)
        return DONE
    try:
        Path(arguments.out).write_text(text, encoding="utf-8")
    except OSError as error:
        parser.error(f"--out: can't be written ({error}); give a file in a folder that exists")
    return DONE


def _read(name: str) -> str:
    if name == _STANDARD:
        return sys.stdin.buffer.read().decode()
    return Path(name).read_text(encoding="utf-8")


def _why(error: Exception) -> str:
    if isinstance(error, InvalidInput):
        return str(error)
    return f"is not JSON ({error}); give what 'kato-lb verify --json' printed"
