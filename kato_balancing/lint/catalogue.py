"""Every rule, in the order in which documentation lists them."""

from typing import Any, Final

from kato_balancing.lint import (
    nginx_session_key,
)
from kato_balancing.lint.haproxy_tree import HaproxyTree
from kato_balancing.lint.nginx_tree import NginxTree
from kato_balancing.lint.rule import Rule

nginx_rules: Final[tuple[Rule[NginxTree], ...]] = (
    *nginx_session_key.RULES,
)
haproxy_rules: Final[tuple[Rule[HaproxyTree], ...]] = ()
rules: Final[tuple[Rule[Any], ...]] = (*nginx_rules, *haproxy_rules)


def rule(rule_id: str) -> Rule[Any]:
    """The rule of that id. Raises KeyError for an unknown one."""
    return {rule.id: rule for rule in rules}[rule_id]
