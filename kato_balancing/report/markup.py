"""HTML and SVG as trees of elements: whatever is a text ends up escaped."""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias
from xml.etree.ElementTree import Element, tostring

Node: TypeAlias = Element | str
Attributes: TypeAlias = Mapping[str, str | float]

# What neither HTML nor XML may hold, escaped or not, and what UTF-8 can't.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_REPLACEMENT: Final = "\ufffd"


def element(tag: str, attributes: Attributes, *nodes: Node) -> Element:
    """An element with its attributes and what it holds; numbers are written with one decimal."""
    made = Element(tag, {name: _text(value) for name, value in attributes.items()})
    last: Element | None = None
    for node in nodes:
        if isinstance(node, Element):
            made.append(node)
            last = node
        elif last is None:
            made.text = (made.text or "") + node
        else:
            last.tail = (last.tail or "") + node
    return made


def as_html(root: Element) -> str:
    """The text of an HTML page."""
    return f"<!DOCTYPE html>\n{_allowed(tostring(root, encoding='unicode', method='html'))}\n"


def as_svg_file(picture: Element) -> str:
    """The text of a file that holds ``picture`` alone."""
    picture.set("xmlns", "http://www.w3.org/2000/svg")
    return f"{_allowed(tostring(picture, encoding='unicode'))}\n"


def _allowed(text: str) -> str:
    return _FORBIDDEN.sub(_REPLACEMENT, text)


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(value, 1):g}"
