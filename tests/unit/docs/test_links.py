"""Every link between the repository's pages leads somewhere, and every page can be found."""

from pathlib import Path

import pytest
from markdown_links import Link, anchors, broken, links, pages

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


def test_every_link_leads_somewhere() -> None:
    found = {
        f"{link.page.relative_to(ROOT)}: {link.target}: {why}"
        for page in pages(ROOT)
        for link in links(page)
        if (why := broken(link, ROOT)) is not None
    }

    assert sorted(found) == []


@pytest.mark.parametrize("folder", ["", "lint", "policies"])
def test_an_index_has_every_page_below_it(folder: str) -> None:
    index = DOCS / folder / "index.md"
    listed = {(index.parent / link.target.split("#")[0]).resolve() for link in links(index)}
    below = {page for page in pages(index.parent) if page != index}
    if not folder:
        # What has an index of its own is listed there.
        generated = {DOCS / "lint", DOCS / "policies"}
        below = {one for one in below if one.parent not in generated or one.name == "index.md"}

    assert sorted(str(page) for page in below - listed) == []


def test_the_first_page_and_the_readme_know_each_other() -> None:
    assert ROOT / "README.md" in [
        (DOCS / link.target).resolve() for link in links(DOCS / "index.md")
    ]
    assert "docs/index.md" in [link.target for link in links(ROOT / "README.md")]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Start\n")
    (tmp_path / "docs" / "a.md").write_text(
        '# What `x` is, and why …\n\n## Twice\n\n## Twice\n\n<a id="own"></a>\n\n'
        "```\n# no heading\n```\n\nSetext\n---\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    "target",
    [
        "a.md",
        "./a.md",
        "../docs/a.md",
        "../README.md#start",
        "a.md#what-x-is-and-why-",
        "a.md#twice",
        "a.md#twice-1",
        "a.md#own",
        "a.md#setext",
        "#here",
        "..",
        "https://example.com/nowhere",
        "mailto:nobody@example.com",
    ],
)
def test_what_is_there_is_found(site: Path, target: str) -> None:
    page = site / "docs" / "b.md"
    page.write_text(f"# Here\n\n[text]({target})\n")

    assert [broken(link, site) for link in links(page)] == [None]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[text](c.md)", "no such file"),
        ("![picture](c.png)", "no such file"),
        ("[text][1]\n\n[1]: c.md", "no such file"),
        ("| head |\n|---|\n| [text](c.md) |", "no such file"),
        ('<img src="c.png">', "no such file"),
        ("see <a href='c.md'>it</a>", "no such file"),
        ("[text](a.md#once)", "no heading #once"),
        ("[text](a.md#no-heading)", "no heading"),
        ("[text](a.md#twice-2)", "no heading"),
        ("[text](#there)", "no heading #there"),
        ("[text](../README.md#Start)", "no heading"),
        ("[text](../../etc)", "leads out of the repository"),
        ("[text](/docs/a.md)", "begins with /"),
    ],
)
def test_what_is_not_there_is_found_out(site: Path, text: str, why: str) -> None:
    page = site / "docs" / "b.md"
    page.write_text(f"# Here\n\n{text}\n")

    [found] = [broken(link, site) for link in links(page)]

    assert found is not None
    assert why in found


def test_code_has_no_links(site: Path) -> None:
    page = site / "docs" / "b.md"
    page.write_text("`[text](c.md)`\n\n```\n[text](c.md)\n```\n\n    [text](c.md)\n")

    assert list(links(page)) == []


def test_pages_that_are_installed_or_hidden_are_left_out(site: Path) -> None:
    for folder in ("venv", ".state", "docs/node_modules"):
        (site / folder).mkdir()
        (site / folder / "c.md").write_text("[text](nowhere.md)\n")

    assert pages(site) == [site / "README.md", site / "docs" / "a.md"]
    assert Link(site / "README.md", "x") not in links(site / "README.md")
    assert anchors(site / "README.md") == {"start"}
