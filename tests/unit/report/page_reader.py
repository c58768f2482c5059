"""Reads a page back as a browser would: its elements, its texts, its tables."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta"})
OURS = frozenset(
    {"html", "head", "meta", "title", "style", "body", "main", "section", "h1", "h2", "h3", "p"}
    | {"ul", "li", "div", "span", "figure", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    | {"svg", "desc", "g", "rect", "line", "path", "circle", "text"}
)
"""Every element that a page writes."""


@dataclass
class Node:
    """An element of the page."""

    tag: str
    attributes: dict[str, str | None]
    parts: list["Node | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text below it."""
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)

    def all(self, tag: str, of_class: str | None = None) -> list["Node"]:
        """The elements below it with this tag and class, in the order of the page."""
        found: list[Node] = []
        for part in self.parts:
            if isinstance(part, Node):
                classes = (part.attributes.get("class") or "").split()
                if part.tag == tag and (of_class is None or of_class in classes):
                    found.append(part)
                found += part.all(tag, of_class)
        return found

    def table(self, caption: str) -> list[list[str]]:
        """The rows of the one table with this caption, without its headings."""
        [found] = [one for one in self.all("table") if one.all("caption")[0].text == caption]
        [body] = found.all("tbody")
        return [[cell.text for cell in row.all("td")] for row in body.all("tr")]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self.open = [self.root]
        self.declarations: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self.open[-1].parts.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"a browser does not close <{tag}/> with {attrs}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)

    def handle_decl(self, decl: str) -> None:
        self.declarations.append(decl)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


def read(page: str) -> Node:
    """The page's root; fails on what is not well-formed."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [reader.root], f"left open: {[one.tag for one in reader.open[1:]]}"
    assert reader.declarations == ["DOCTYPE html"]
    return reader.root


def assert_self_contained(root: Node) -> None:
    """Only our elements, none of which asks for anything or runs anything."""
    left = [part for part in root.parts if isinstance(part, Node)]
    while left:
        node = left.pop()
        assert node.tag in OURS, f"<{node.tag}> is none of ours"
        for name, value in node.attributes.items():
            assert not name.startswith("on"), f"{name} of <{node.tag}> runs a script"
            assert name not in {"src", "href", "xlink:href", "style", "action", "data", "srcset"}
            assert "url(" not in (value or "")
            assert value not in {"nan", "inf", "-inf"}, f"{name} of <{node.tag}> is no number"
        left += [part for part in node.parts if isinstance(part, Node)]
    for style in root.all("style"):
        assert "url(" not in style.text
        assert "@import" not in style.text
