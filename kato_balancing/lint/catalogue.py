"""Every rule, in the order in which documentation lists them."""

from typing import Any, Final

from kato_balancing.lint import (
    haproxy_affinity,
    haproxy_checks,
    haproxy_connections,
    haproxy_cookies,
    haproxy_edge,
    haproxy_process,
    haproxy_waiting,
    nginx_affinity,
    nginx_edge,
    nginx_headers,
    nginx_learned,
    nginx_retries,
    nginx_session_key,
    nginx_upstreams,
    nginx_versions,
)
from kato_balancing.lint.haproxy_tree import HaproxyTree
from kato_balancing.lint.nginx_tree import NginxTree
from kato_balancing.lint.rule import Rule

nginx_rules: Final[tuple[Rule[NginxTree], ...]] = (
    *nginx_session_key.RULES,
    *nginx_affinity.RULES,
    *nginx_learned.RULES,
    *nginx_upstreams.RULES,
    *nginx_retries.RULES,
    *nginx_headers.RULES,
    *nginx_edge.RULES,
    *nginx_versions.RULES,
)
haproxy_rules: Final[tuple[Rule[HaproxyTree], ...]] = (
    *haproxy_affinity.RULES,
    *haproxy_cookies.RULES,
    *haproxy_checks.RULES,
    *haproxy_waiting.RULES,
    *haproxy_connections.RULES,
    *haproxy_edge.RULES,
    *haproxy_process.RULES,
)
rules: Final[tuple[Rule[Any], ...]] = (*nginx_rules, *haproxy_rules)


def rule(rule_id: str) -> Rule[Any]:
    """The rule of that id. Raises KeyError for an unknown one."""
    return {rule.id: rule for rule in rules}[rule_id]
