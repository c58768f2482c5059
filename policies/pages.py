"""The documentation of the policies, written from their records and examples."""

import difflib
import json
import textwrap
from collections.abc import Iterator
from typing import Any, Final

from .catalogue import ALL, EVERYWHERE, PACKS, RULES, rules_of
from .examples.breaking import EXAMPLES, Example
from .rule import Knob, Pack, Rule

_MADE: Final = "<!-- Written by 'make docs' from the rules; edit those. -->\n"
PRACTICES: Final = {
    1: "Session affinity",
    2: "Health checks",
    3: "Gradual rollout",
    4: "Monitoring",
    5: "Timeouts",
    6: "Backup servers",
    7: "Circuit breakers",
    8: "Graceful shutdown",
}
"""The best practices of the load balancing guide."""


def pages() -> dict[str, str]:
    """Markdown by file name: an index and one page per rule."""
    return {"index.md": index(), **{f"{rule.id}.md": page(rule) for rule in ALL}}


def index() -> str:
    """Rules by pack, and by best practice."""
    lines = [
        _MADE,
        "# Policies",
        "",
        f"{len(RULES)} rules in three packs, and two policies that report for all of them. "
        "[Use them on your stack](use.md).",
        "",
        "*Mandatory* fails a preview, *advisory* is told only; each can be set to either, to "
        "`remediate` where the last",
        "column says so, or to `disabled`.",
    ]
    for pack in Pack:
        lines += ["", f"## {PACKS[pack]}", "", f"`--policy-pack policies/{pack}`", ""]
        lines += _table([rule for rule in rules_of(pack) if rule not in EVERYWHERE])
    lines += ["", "## In every pack", "", *_table([*EVERYWHERE])]
    lines += ["", "## By best practice", "", "| | Best practice | Rules |", "|---|---|---|"]
    for number, name in PRACTICES.items():
        own = ", ".join(_link(rule.id) for rule in RULES if number in rule.practices)
        lines.append(f"| {number} | {name} | {own} |")
    return "\n".join(lines) + "\n"


def _table(rules: list[Rule]) -> list[str]:
    lines = ["| Policy | Level | What must hold | Docker | Mends |", "|---|---|---|---|---|"]
    for rule in rules:
        docker = "yes" if rule.docker else ""
        mends = "" if rule.remedy is None else (f"`{rule.id}-remedy`" if rule.stack else "yes")
        lines.append(f"| {_link(rule.id)} | {rule.level} | {rule.title} | {docker} | {mends} |")
    return lines


def _link(rule_id: str) -> str:
    return f"[{rule_id}]({rule_id}.md)"


def page(rule: Rule) -> str:
    """One rule's page."""
    lines = [_MADE, f"# {rule.title}", "", _facts(rule), "", *_wrapped(rule.why), ""]
    lines += ["Cure:", "", "```text", *_wrapped(rule.cure), "```", ""]
    examples = EXAMPLES.get(rule.id, ())
    if examples:
        lines += ["`-` breaks the rule, `+` holds it:", ""]
        lines += ["```diff", *_difference(examples[0]), "```", ""]
        if examples[0].companions:
            others = ", ".join(map(_link, examples[0].companions))
            lines += [f"Comes with: {others}", ""]
    if rule.knobs:
        lines += ["| Setting | Default | What it is |", "|---|---|---|"]
        lines += [_knob(knob) for knob in rule.knobs]
        lines += ["", "```json", *_settings(rule), "```", ""]
    if rule.remedy is not None:
        lines += [*_wrapped(_remedy(rule)), ""]
    return "\n".join(lines).rstrip() + "\n"


def _facts(rule: Rule) -> str:
    where = "every pack" if rule in EVERYWHERE else f"pack {rule.pack}"
    asked = "each resource" if rule.resource else "the whole stack"
    on = "Kubernetes and Docker" if rule.docker else "Kubernetes"
    practices = "".join(f" · best practice {n}" for n in rule.practices)
    return (
        f"`{rule.id}` · {rule.level} · severity {rule.severity} · {where} · {asked} · "
        f"{on}{practices}"
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 96, break_long_words=False, break_on_hyphens=False)


def _difference(example: Example) -> Iterator[str]:
    lines = difflib.unified_diff(
        example.breaks.splitlines(), example.holds.splitlines(), lineterm="", n=2
    )
    for number, line in enumerate(lines):
        if number > 1:
            yield "…" if line.startswith("@@") else line.rstrip()


def _knob(knob: Knob) -> str:
    allowed = knob.schema.get("enum")
    text = knob.text + (f" One of {', '.join(f'`{one}`' for one in allowed)}." if allowed else "")
    return f"| `{knob.name}` | `{json.dumps(knob.default)}` | {text} |"


def _settings(rule: Rule) -> list[str]:
    given: dict[str, Any] = {"enforcementLevel": str(rule.level)}
    own = next((knob for knob in rule.knobs[::-1]), None)
    if own is not None:
        given[own.name] = own.default
    return json.dumps({rule.id: given}, indent=2, ensure_ascii=False).splitlines()


def _remedy(rule: Rule) -> str:
    if rule.stack is not None:
        return (
            f"`{rule.id}-remedy` mends the plain cases before a resource is registered, when it "
            "is set to `remediate`; it is off otherwise. Secrets and unknown values are left alone."
        )
    return (
        "Set to `remediate`, it mends the plain cases before a resource is registered. Secrets and "
        "unknown values are left alone."
    )
