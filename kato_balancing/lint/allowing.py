"""Comments that allow a rule to be broken: ``# kato-lb lint: allow RULE-ID``.

Such a comment speaks for its own line, or for the next line with a directive when it stands
alone.
"""

import re
from collections.abc import Mapping
from typing import Final

from kato_balancing.allow_comment import ALLOW

_ALLOW: Final = re.compile(rf"#\s*{ALLOW}\s+([a-z0-9][a-z0-9, -]*)")


def allowed(sources: Mapping[str, str]) -> set[tuple[str, int, str]]:
    """File, line and rule of everything that is allowed."""
    found: set[tuple[str, int, str]] = set()
    for file, text in sources.items():
        waiting: set[str] = set()
        for number, line in enumerate(text.split("\n"), 1):
            comment = _ALLOW.search(line)
            rules = set(re.split(r"[,\s]+", comment[1].strip())) if comment else set()
            if not line.split("#", 1)[0].strip():
                waiting |= rules
                continue
            found |= {(file, number, rule) for rule in rules | waiting}
            waiting = set()
    return found
