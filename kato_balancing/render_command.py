"""``kato-lb render``: a balancer's settings in, a configuration file out."""

import argparse
import sys
from pathlib import Path
from typing import Final

from kato_balancing import balancer_file
from kato_balancing.balancer_file import Refused, Unreadable

DONE: Final = 0
REFUSED: Final = 1

EPILOG: Final = """\
exit codes:
  0  written
  1  the settings are refused; every problem is listed with its path and cure
  2  wrong arguments, or a file that can't be read or written

FILE has the settings of a balancer in YAML or JSON, for example
  pool:
    servers:
      - {name: kato-0, host: 10.0.0.11}
      - {name: kato-1, host: 10.0.0.12}
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb render`` to ``parser``."""
    parser.description = "Write the configuration of nginx or HAProxy for a balancer's settings."
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", metavar="FILE", help="settings in YAML or JSON; - for stdin")
    add_target(parser)
    parser.add_argument("--output", metavar="FILE", help="file to write (default: standard output)")


def add_target(parser: argparse.ArgumentParser) -> None:
    """The option that says which program the configuration is for."""
    parser.add_argument(
        "--for",
        dest="target",
        metavar="PROGRAM:VERSION",
        required=True,
        type=balancer_file.parse_target,
        help="such as nginx:1.30 or haproxy:3.2",
    )


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Render and write; ends through ``parser.error`` on files that can't be used."""
    try:
        balancer = balancer_file.read(arguments.file)
        text = balancer_file.render(arguments.file, balancer, arguments.target)
    except Unreadable as error:
        parser.error(str(error))
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    if arguments.output is None:
        sys.stdout.write(text)
        return DONE
    try:
        Path(arguments.output).write_text(text, encoding="utf-8")
    except OSError as error:
        parser.error(f"--output: can't be written ({error})")
    return DONE
