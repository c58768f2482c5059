"""The reference is fresh, and what the pages show is Python."""

import re
from pathlib import Path

import pytest

from dev import client_reference

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs/client").glob("*.md"))


def test_the_reference_is_fresh() -> None:
    assert client_reference.page() == client_reference.PAGE.read_text()


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "reference.md"], ids=str)
def test_examples_are_python_with_names_that_exist(page):
    import ast

    import kato_balancing.client as package

    for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        tree = ast.parse(code.replace("async with", "with").replace("await ", ""))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "kato_balancing.client":
                assert {one.name for one in node.names} <= set(package.__all__)


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
