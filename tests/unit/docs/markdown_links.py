"""Links between the repository's pages: what each points to, and whether that is there."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

_NOT_OURS = frozenset({"venv", "node_modules", "build", "dist"})


@dataclass(frozen=True)
class Link:
    """A link of a page."""

    page: Path
    target: str


def pages(root: Path) -> list[Path]:
    """Every page below ``root``, without what is installed or built."""
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f not in _NOT_OURS and not f.startswith(".")]
        found += [Path(folder, file) for file in files if file.endswith(".md")]
    return sorted(found)


def links(page: Path) -> Iterator[Link]:
    """The page's links and pictures; what stands in code is none."""
    for token in _all(_parsed(page)):
        for name in ("href", "src"):
            target = token.attrGet(name)
            if target is not None:
                yield Link(page, str(target))
        if token.type in ("html_inline", "html_block"):
            yield from (Link(page, target) for target in _Html.read(token.content).targets)


def broken(link: Link, root: Path) -> str | None:
    """Why a link leads nowhere; None when it leads somewhere, or out of the repository."""
    parts = urlsplit(link.target)
    if parts.scheme or parts.netloc:
        return None
    if parts.path.startswith("/"):
        return "begins with /, which is another place on every site"
    target = (link.page.parent / unquote(parts.path)).resolve() if parts.path else link.page
    if not target.is_relative_to(root.resolve()):
        return "leads out of the repository"
    if not target.exists():
        return "there is no such file"
    if parts.fragment and target.suffix == ".md" and parts.fragment not in anchors(target):
        return f"{target.name} has no heading #{parts.fragment}"
    return None


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub and MkDocs make them, and of its own anchors."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    tokens = _parsed(page)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            name = _slug("".join(part.content for part in inline.children or ()))
            found.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    for token in _all(tokens):
        if token.type in ("html_inline", "html_block"):
            found |= _Html.read(token.content).names
    return found


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _parsed(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def _all(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or [])


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.names: set[str] = set()

    @classmethod
    def read(cls, text: str) -> "_Html":
        reader = cls()
        reader.feed(text)
        return reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.targets.append(value)
            elif value and (name == "id" or (name == "name" and tag == "a")):
                self.names.add(value)
