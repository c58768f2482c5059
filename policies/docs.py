"""The generated pages of the policies' documentation; ``make docs`` writes them."""

from pathlib import Path

from .pages import pages

FOLDER = Path(__file__).parents[1] / "docs" / "policies"
WRITTEN_BY_HAND = frozenset({"use.md"})


def generated() -> dict[Path, str | None]:
    """Every generated file and its text; None for a page whose rule is gone."""
    there = (page for page in FOLDER.glob("*.md") if page.name not in WRITTEN_BY_HAND)
    files: dict[Path, str | None] = dict.fromkeys(there)
    return files | {FOLDER / name: text for name, text in pages().items()}
