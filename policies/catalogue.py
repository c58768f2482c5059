"""Every rule, in the order in which packs run and documentation lists them."""

from collections.abc import Mapping
from typing import Final

from .rule import Level, Pack, Rule, Severity
from .rules import (
    affinity,
    edges,
    hardening,
    health,
    pod_security,
    probing,
    running,
    scaling,
    shutdown,
    traffic,
)

DOCS: Final = "docs/policies"
"""Where the pages are, from the root of this project."""

PACKS: Final[Mapping[Pack, str]] = {
    Pack.LOAD_BALANCING: "The eight best practices of the KATO load balancing guide",
    Pack.KUBERNETES: "Reliability of workloads on Kubernetes",
    Pack.SECURITY: "Pod security, images, networks and the edge",
}

RULES: Final[tuple[Rule, ...]] = (
    *affinity.RULES,
    *health.RULES,
    *traffic.RULES,
    *shutdown.RULES,
    *probing.RULES,
    *scaling.RULES,
    *running.RULES,
    *pod_security.RULES,
    *hardening.RULES,
    *edges.RULES,
)

LATE: Final = Rule(
    id="late-violation",
    title="What could not be decided before a resource existed holds now",
    pack=Pack.LOAD_BALANCING,
    severity=Severity.HIGH,
    cure="see the rule that the finding names",
    why="A rule on a single resource is asked before the resource exists, when some of its values "
    "are unknown. It is asked again about the outputs, and this policy reports what it then finds.",
    docker=True,
)
COVERAGE: Final = Rule(
    id="coverage-unverified",
    title="Every rule could be decided",
    pack=Pack.LOAD_BALANCING,
    level=Level.ADVISORY,
    severity=Severity.LOW,
    cure="deploy and run pulumi policy analyze on the state, where every value is known; or give "
    "the value in the program",
    why="A value that is known only after the deployment leaves a rule open. The engine would "
    "pass over that in silence; here it is listed, and can be made mandatory.",
    docker=True,
)
EVERYWHERE: Final = (LATE, COVERAGE)
"""In each pack, after the pack's own rules, whose open questions they report."""

ALL: Final = (*RULES, *EVERYWHERE)


def rules_of(*packs: Pack) -> tuple[Rule, ...]:
    """The rules of packs that run in one process, in the order in which they run."""
    return (*(rule for rule in RULES if rule.pack in packs), *EVERYWHERE)


def rule(rule_id: str) -> Rule:
    """The rule of that id. Raises KeyError for an unknown one."""
    return {rule.id: rule for rule in ALL}[rule_id]
