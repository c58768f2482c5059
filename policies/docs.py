"""Writes the policies' documentation: ``python -m policies.docs [--check]``."""

import argparse
import sys
from pathlib import Path

from .pages import pages

FOLDER = Path(__file__).parents[1] / "docs" / "policies"
WRITTEN_BY_HAND = frozenset({"use.md"})


def generated() -> dict[Path, str | None]:
    """Every generated file and its text; None for a page whose rule is gone."""
    there = (page for page in FOLDER.glob("*.md") if page.name not in WRITTEN_BY_HAND)
    files: dict[Path, str | None] = dict.fromkeys(there)
    return files | {FOLDER / name: text for name, text in pages().items()}


def main() -> int:
    """Write, or with --check only compare: 1 when something is stale."""
    parser = argparse.ArgumentParser(prog="python -m policies.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 when stale")
    check = parser.parse_args().check
    stale = {
        file: text
        for file, text in generated().items()
        if text != (file.read_text() if file.exists() else None)
    }
    for file, text in stale.items():
        if check:
            print(f"{file.name} is stale: run 'make docs'", file=sys.stderr)
        elif text is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
