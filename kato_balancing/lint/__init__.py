"""Findings on any nginx.conf or haproxy.cfg in front of KATO.

>>> from kato_balancing.lint import lint
>>> found = lint("upstream kato { ip_hash; server 10.0.0.1:8000; server 10.0.0.2:8000; }")
>>> "nginx-ip-hash" in {finding.rule for finding in found}
True
"""

from kato_balancing.lint.catalogue import haproxy_rules, nginx_rules, rule, rules
from kato_balancing.lint.engine import lint, lint_file, lint_haproxy, lint_nginx
from kato_balancing.lint.findings import Finding, LintError, Place, Severity
from kato_balancing.lint.rule import Program, Rule

__all__ = [
    "Finding",
    "LintError",
    "Place",
    "Program",
    "Rule",
    "Severity",
    "haproxy_rules",
    "lint",
    "lint_file",
    "lint_haproxy",
    "lint_nginx",
    "nginx_rules",
    "rule",
    "rules",
]
