"""``kato-lb report``: a run's document in, one HTML page out."""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from kato_balancing.problems import InvalidInput
from kato_balancing.report.page import page
from kato_balancing.report.replicas_document import Replicas
from kato_balancing.report.replicas_page import replicas_page
from kato_balancing.report.run_document import Run

DONE: Final = 0

_STANDARD: Final = "-"
_MOST_PROBLEMS: Final = 10

_EPILOG: Final = """\
exit codes:
  0  written, whatever the run's verdict
  2  wrong arguments, a file that is not the document of a run, or one that can't be written;
     nothing is written then, and a page that is there stays as it is
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
        help="what 'kato-lb verify', 'rollout', 'replace' or 'drain' printed with --json; - reads "
        "standard input",
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
        text = _page(_read(arguments.run)).encode()
    except OSError as error:
        parser.error(f"RUN.json: can't be read ({error}); give a file, or - for standard input")
    except InvalidInput as error:
        parser.error(f"RUN.json: {_shown(error)}")
    except (ValueError, RecursionError) as error:
        parser.error(f"RUN.json: is not JSON ({error}); give what 'kato-lb verify --json' printed")
    if arguments.out == _STANDARD:
        # Bytes, since the page says UTF-8 and the terminal may use another encoding.
        sys.stdout.buffer.write(text)
        return DONE
    try:
        if _same(arguments.run, arguments.out):
            parser.error("--out: is RUN.json itself, which would be lost; give another file")
        Path(arguments.out).write_bytes(text)
    except OSError as error:
        parser.error(f"--out: can't be written ({error}); give a file in a folder that exists")
    return DONE


def _page(text: str) -> str:
    document = json.loads(text)
    if isinstance(document, dict) and "format" not in document and "replicas" in document:
        return replicas_page(Replicas.from_dict(document))
    return page(Run.from_dict(document))


def _read(name: str) -> str:
    if name == _STANDARD:
        return sys.stdin.buffer.read().decode()
    return Path(name).read_text(encoding="utf-8")


def _same(run: str, out: str) -> bool:
    return run != _STANDARD and Path(out).exists() and Path(out).samefile(run)


def _shown(error: InvalidInput) -> str:
    shown = [str(problem) for problem in error.problems[:_MOST_PROBLEMS]]
    left = len(error.problems) - len(shown)
    return "\n".join([*shown, f"and {left} more"] if left else shown)
