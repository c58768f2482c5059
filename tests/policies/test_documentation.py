"""The pages are those of the rules, and what the page for others says is so."""

import json
import re
from pathlib import Path

import pytest

from policies import docs
from policies.catalogue import ALL, PACKS
from policies.pages import PRACTICES, index
from policies.settings import problems

ROOT = Path(__file__).parents[2]
USE = (ROOT / "docs" / "policies" / "use.md").read_text()


def test_the_pages_are_fresh() -> None:
    stale = [
        file.name
        for file, text in docs.generated().items()
        if text != (file.read_text() if file.exists() else None)
    ]

    assert stale == [], "run 'make docs'"


def test_the_index_has_every_rule_and_every_best_practice() -> None:
    text = index()

    assert all(f"({rule.id}.md)" in text for rule in ALL)
    for number, name in PRACTICES.items():
        [line] = [line for line in text.splitlines() if line.startswith(f"| {number} | {name} | ")]
        assert "](lb-" in line
    assert all(f"policies/{pack}" in text for pack in PACKS)


@pytest.mark.parametrize("text", re.findall(r"```json\n(.*?)```", USE, re.DOTALL))
def test_the_settings_of_the_page_for_others_are_valid(text: str) -> None:
    assert problems(json.loads(text), ALL) == []


def test_links_of_the_page_for_others_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", USE):
        assert (ROOT / "docs" / "policies" / link).exists(), link


@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_is_thin_and_names_its_virtual_environment(pack: str) -> None:
    folder = ROOT / "policies" / pack

    assert len((folder / "__main__.py").read_text().splitlines()) < 12
    assert "virtualenv: ../../venv" in (folder / "PulumiPolicy.yaml").read_text()
