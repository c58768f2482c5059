"""``kato-lb lint``: what is wrong with an nginx or HAProxy configuration in front of KATO."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from kato_balancing.lint import Finding, LintError, Program, Severity, lint, lint_file, rules
from kato_balancing.lint.reading import MOST_BYTES, decode
from kato_balancing.lint.report import as_data, print_findings
from kato_balancing.lint.sarif import as_sarif
from kato_balancing.targets import Version, parse_version

CLEAN: Final = 0
FOUND: Final = 1

_STDIN: Final = "<stdin>"

_EPILOG: Final = """\
exit codes:
  0  no finding at or above --fail-on
  1  findings
  2  wrong arguments, or a file that can't be judged

A fragment, such as one upstream or one backend, is judged for what it has;
rules on what a whole configuration lacks wait for nginx's http block or
HAProxy's global section. A comment allows what is meant:
  # kato-lb lint: allow RULE-ID
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb lint`` to ``parser``."""
    parser.description = "Find what loses sessions, requests or updates in a balancer's files."
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("files", metavar="FILE", nargs="*", help="files; - for stdin")
    parser.add_argument(
        "--for", dest="program", choices=[str(program) for program in Program],
        help="the program (default: told from the file)",
    )  # fmt: skip
    parser.add_argument(
        "--version", type=_version, metavar="VERSION", help="the program's version, such as 1.30"
    )
    parser.add_argument(
        "--fail-on", type=Severity, choices=list(Severity), default=Severity.WARNING,
        metavar="SEVERITY", help="info, warning or error: exit 1 from here on (default: warning)",
    )  # fmt: skip
    parser.add_argument(
        "--root", metavar="FOLDER", help="includes are read below here (default: the file's folder)"
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON")
    output.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0")
    output.add_argument("--list", action="store_true", help="print every rule and stop")


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Judge, print and return the exit code; ends through ``parser.error`` on bad files."""
    if arguments.list:
        _print_rules(Console(file=sys.stdout))
        return CLEAN
    if not arguments.files:
        parser.error("give at least one FILE, or --list")
    if arguments.root is not None and not Path(arguments.root).is_dir():
        parser.error(f"--root: {arguments.root!r} is not a folder")
    findings: list[Finding] = []
    try:
        for file in arguments.files:
            findings += _judge(file, arguments)
    except LintError as error:
        parser.error(str(error))
    if arguments.json:
        _print_data(as_data(findings, arguments.files))
    elif arguments.sarif:
        _print_data(as_sarif(findings))
    else:
        print_findings(findings, len(arguments.files), Console(file=sys.stdout, highlight=False))
    worst = max((finding.severity.rank for finding in findings), default=-1)
    return FOUND if worst >= arguments.fail_on.rank else CLEAN


def _judge(file: str, arguments: argparse.Namespace) -> list[Finding]:
    if file == "-":
        text = decode(_STDIN, sys.stdin.buffer.read(MOST_BYTES + 1))
        return lint(text, arguments.program, version=arguments.version, file=_STDIN)
    return lint_file(file, arguments.program, version=arguments.version, root=arguments.root)


def _version(text: str) -> Version:
    try:
        return parse_version(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _print_rules(console: Console) -> None:
    width = max(len(rule.id) for rule in rules)
    for rule in rules:
        console.print(
            f"{rule.id:{width}}  {rule.severity:7}  {rule.title}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip


def _print_data(data: dict[str, Any]) -> None:
    json.dump(data, sys.stdout, indent=2)
    sys.stdout.write("\n")
