"""Writes the generated parts of the documentation: ``python -m dev.docs [--check]``."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from dev import client_reference
from dev.toolchain import places
from kato_balancing.lint.pages import pages
from kato_balancing.monitoring import page as monitoring_page
from policies import docs as policy_docs

README = places.ROOT / "README.md"
PROJECT = places.ROOT / "Pulumi.yaml"
MONITORING = places.ROOT / "docs" / "monitoring.md"
LINT_PAGES = places.ROOT / "docs" / "lint"
_PART = re.compile(r"(<!-- settings: .*? -->\n).*?(<!-- end of settings -->)", re.DOTALL)


def settings_table(project: Path = PROJECT) -> str:
    """The stack's settings as a Markdown table, from the project file that declares them."""
    declared: dict[str, dict[str, Any]] = yaml.safe_load(project.read_text())["config"]
    lines = ["| Setting | Type | Default | What it is |", "|---|---|---|---|"]
    for name, entry in declared.items():
        if ":" not in name:
            default = json.dumps(entry["default"])
            text = entry["description"].replace("|", "\\|")
            lines.append(f"| `{name}` | {entry['type']} | `{default}` | {text} |")
    return "\n".join(lines) + "\n"


def updated(text: str) -> str:
    """The README's text with fresh generated parts."""
    if not _PART.search(text):
        raise ValueError("README.md has lost the marks around its settings table")
    return _PART.sub(lambda part: part[1] + settings_table() + part[2], text)


def generated() -> dict[Path, str | None]:
    """Every generated file and its text; None for a page whose rule is gone."""
    files: dict[Path, str | None] = {page: None for page in LINT_PAGES.glob("*.md")}
    files |= {LINT_PAGES / name: text for name, text in pages().items()}
    return {
        README: updated(README.read_text()),
        MONITORING: monitoring_page.updated(MONITORING.read_text()),
        **files,
        **policy_docs.generated(),
        **_client(),
    }


def _client() -> dict[Path, str | None]:
    return {client_reference.PAGE: client_reference.page()}


def main() -> int:
    """Write, or with --check only compare: 1 when something is stale."""
    parser = argparse.ArgumentParser(prog="python -m dev.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 when stale")
    check = parser.parse_args().check
    stale = {
        file: text
        for file, text in generated().items()
        if text != (file.read_text() if file.exists() else None)
    }
    for file, text in stale.items():
        if check:
            print(f"{file.relative_to(places.ROOT)} is stale: run 'make docs'", file=sys.stderr)
        elif text is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
