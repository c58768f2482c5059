"""The documentation of the rules, written from their records."""

import difflib
import textwrap
from collections.abc import Iterator
from typing import Any

from kato_balancing.lint.catalogue import rules
from kato_balancing.lint.rule import Program, Rule
from kato_balancing.lint.versions import shown

_MADE = "<!-- Written by 'make docs' from the rules; edit those. -->\n"
_NAMES = {Program.NGINX: "nginx", Program.HAPROXY: "HAProxy"}


def pages() -> dict[str, str]:
    """Markdown by file name: an index and one page per rule."""
    return {"index.md": index(), **{f"{rule.id}.md": page(rule) for rule in rules}}


def index() -> str:
    """The list of all rules."""
    lines = [
        _MADE,
        "# What lint looks for",
        "",
        "`kato-lb lint FILE…` judges any nginx.conf or haproxy.cfg in front of KATO. An *error* "
        "loses sessions,",
        "updates or requests for certain, a *warning* does under some condition, an *info* is "
        "advice.",
        "",
        "A comment allows what is meant: `# kato-lb lint: allow RULE-ID`, on the line or above it.",
    ]
    for program in Program:
        own = [rule for rule in rules if rule.program is program]
        lines += ["", f"## {_NAMES[program]}", "", "| Rule | Severity | What it finds |",
                  "|---|---|---|"]  # fmt: skip
        lines += [
            f"| [{rule.id}]({rule.id}.md) | {rule.severity} | {_cell(rule.title)} |" for rule in own
        ]
    return "\n".join(lines) + "\n"


def page(rule: Rule[Any]) -> str:
    """One rule's page."""
    lines = [
        _MADE,
        f"# {rule.title}",
        "",
        f"`{rule.id}` · {rule.severity} · {_NAMES[rule.program]}{_range(rule)}",
        "",
        rule.why,
        "",
        "Cure:",
        "",
        "```text",
        *textwrap.wrap(rule.cure, 96, break_long_words=False, break_on_hyphens=False),
        "```",
        "",
    ]
    if rule.whole_file:
        lines += ["Judged on a whole configuration only, not on a fragment of one.", ""]
    if rule.breaks == rule.holds:
        lines += [
            f"The same file breaks the rule for {_NAMES[rule.program]} {_version(rule, True)} and "
            f"holds it for {_version(rule, False)}.",
            "",
        ]
    else:
        lines += [
            "`-` breaks the rule, `+` holds it:",
            "",
            "```diff",
            *_difference(rule),
            "```",
            "",
        ]
    if rule.companions:
        others = ", ".join(f"[{other}]({other}.md)" for other in rule.companions)
        lines += [f"Comes with: {others}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _version(rule: Rule[Any], broken: bool) -> str:
    version = rule.breaks_version if broken else rule.holds_version
    return "any version" if version is None else shown(version)


def _range(rule: Rule[Any]) -> str:
    text = f" from {shown(rule.since)}" if rule.since else ""
    return text + (f" below {shown(rule.until)}" if rule.until else "")


def _difference(rule: Rule[Any]) -> Iterator[str]:
    lines = difflib.unified_diff(
        rule.breaks.splitlines(), rule.holds.splitlines(), lineterm="", n=2
    )
    for number, line in enumerate(lines):
        if number > 1 and "No newline" not in line:
            yield "…" if line.startswith("@@") else line.rstrip()
    if rule.breaks.endswith("\n") is not rule.holds.endswith("\n"):
        yield "-(no newline at the end)"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
