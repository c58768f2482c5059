"""The frame of every page: it needs nothing else, no network and no script."""

from typing import Final

from kato_balancing.report.markup import Node, as_html, element
from kato_balancing.report.style import STYLE

_NO_REQUEST_LEAVES: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser's own word on it, whatever a name in the document tries."""


def sheet(title: str, *nodes: Node) -> str:
    """The text of a page with this title that shows ``nodes``."""
    policy = {"http-equiv": "Content-Security-Policy", "content": _NO_REQUEST_LEAVES}
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", policy),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("title", {}, title),
        element("style", {}, STYLE),
    )
    body = element("body", {}, element("main", {}, *nodes))
    return as_html(element("html", {"lang": "en"}, head, body))
