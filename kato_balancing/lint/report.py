"""Findings for people and as JSON."""

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from kato_balancing.lint.findings import Finding, Severity

_STYLES: Final = {
    Severity.INFO: "cyan",
    Severity.WARNING: "yellow",
    Severity.ERROR: "bold red",
}


def print_findings(findings: Sequence[Finding], files: int, console: Console) -> None:
    """A line for each finding and its cure below, then a count.

    Text only, no markup: messages hold parts of the judged file.
    """
    for finding in findings:
        line = Text(f"{_plain(finding.place.file)}:{finding.place.line}: ")
        line.append(str(finding.severity), style=_STYLES[finding.severity])
        line.append(f" {finding.rule}: {_plain(finding.message)}")
        console.print(line, soft_wrap=True)
        console.print(Text(f"    cure: {finding.cure}"), soft_wrap=True)
    console.print(Text(_count(findings, files)))


def _count(findings: Sequence[Finding], files: int) -> str:
    of = f"{files} file{'s' if files != 1 else ''}"
    if not findings:
        return f"no findings in {of}"
    counts = [
        f"{number} {severity}"
        for severity in reversed(Severity)
        if (number := sum(finding.severity is severity for finding in findings))
    ]
    return f"{', '.join(counts)} in {of}"


def _plain(text: str) -> str:
    """Without control characters, which a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


def as_data(findings: Sequence[Finding], files: Sequence[str]) -> dict[str, Any]:
    """The report as JSON types; the order of the keys never changes."""
    return {
        "files": list(files),
        "findings": [finding.to_dict() for finding in findings],
        "counts": {
            str(severity): sum(finding.severity is severity for finding in findings)
            for severity in Severity
        },
    }
