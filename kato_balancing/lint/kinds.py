"""Which program a text configures, told from the text first and the file's name second."""

import re
from pathlib import Path

from kato_balancing.lint.findings import LintError
from kato_balancing.lint.haproxy_tree import SECTIONS
from kato_balancing.lint.rule import Program

_SECTION = re.compile(rf"^(?:{'|'.join(sorted(SECTIONS))})(?:[ \t][^{{}};]*)?$", re.MULTILINE)
_NGINX = re.compile(r"[;{}][ \t]*(?:#.*)?$", re.MULTILINE)


def kind_of(file: str, text: str) -> Program:
    """Raises LintError when neither fits."""
    is_haproxy = _SECTION.search(text) is not None
    is_nginx = _NGINX.search(text) is not None
    if is_haproxy != is_nginx:
        return Program.HAPROXY if is_haproxy else Program.NGINX
    by_name = {".cfg": Program.HAPROXY, ".conf": Program.NGINX}.get(Path(file).suffix)
    if is_haproxy and by_name is not None:
        return by_name
    if is_haproxy:
        # Braces also stand in HAProxy's conditions, a section's head never in nginx's files.
        return Program.HAPROXY
    raise LintError(file, "is neither nginx's nor HAProxy's; say which with --for")
