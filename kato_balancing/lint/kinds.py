"""Which program a text configures: told from its first line, its punctuation, then its name.

HAProxy's first line opens a section, which nginx's never does.
"""

import re
from pathlib import Path

from kato_balancing.lint.findings import LintError
from kato_balancing.lint.haproxy_tree import SECTIONS
from kato_balancing.lint.rule import Program

_NGINX = re.compile(r"^[^#\n]*[;{}]", re.MULTILINE)


def kind_of(file: str, text: str) -> Program:
    """Raises LintError when neither fits."""
    lines = (line.split("#", 1)[0].split() for line in text.split("\n"))
    first = next((words for words in lines if words and not words[0].startswith(".")), [""])
    if first[0] in SECTIONS and not {";", "{", "}"} & {word[-1] for word in first}:
        return Program.HAPROXY
    if _NGINX.search(text) is not None:
        return Program.NGINX
    by_name = {".cfg": Program.HAPROXY, ".conf": Program.NGINX}.get(Path(file).suffix)
    if by_name is not None:
        return by_name
    raise LintError(file, "is neither nginx's nor HAProxy's; say which with --for")
