"""What every test run does."""

from collections.abc import Generator
from typing import Final

import pytest

_WIDEST: Final = 300
"""Characters of a reason: whoever keeps only the end of a log still sees every failure."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """End with one short line for each failure, after all details."""
    yield
    stats = terminalreporter.stats
    failures = [*stats.get("error", []), *stats.get("failed", [])]
    if failures:
        terminalreporter.section("failures in short")
    for report in failures:
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = " ".join(str(crash.message if crash else report.longrepr).split())
        terminalreporter.line(f"{report.when} of {report.nodeid}: {reason[:_WIDEST]}")
