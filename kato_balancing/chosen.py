"""Settings that break a rule of the linter on purpose: the rendered file says so.

Whoever sets affinity NONE has chosen it. The file carries a comment that names what was chosen, and
the linter lets it be; a file in which the same stands by accident has no such comment.
"""

from kato_balancing import kato
from kato_balancing.allow_comment import ALLOW
from kato_balancing.fields import Affinity
from kato_balancing.hosts import is_address
from kato_balancing.model import Balancer, Pool


def method(balancer: Balancer, program: str) -> str:
    """The comment above a pool's method, or nothing."""
    if balancer.affinity is Affinity.NONE:
        return _comment(
            program, "affinity NONE, which loses overlapping updates", "no-session-affinity"
        )
    if balancer.affinity is Affinity.CLIENT_IP:
        return _comment(program, "affinity CLIENT_IP", "hash-by-client-address")
    return ""


def servers(balancer: Balancer, pool: Pool, program: str) -> str:
    """The comment above a pool's first server, or nothing."""
    comments = []
    if len({server.weight for server in pool.servers}) > 1:
        comments.append(_comment(program, "weights that differ", "weights-unequal"))
    if balancer.resolver is None and any(not is_address(s.host) for s in pool.servers):
        comments.append(_comment(program, "names without a resolver", "server-name-fixed"))
    return "\n".join(comments)


def routes(balancer: Balancer, program: str) -> str:
    """The comment above what clients may reach, or nothing."""
    if kato.PRIVATE_PATHS[0] in balancer.private_paths:
        return ""
    return _comment(program, f"{kato.PRIVATE_PATHS[0]} is not a private path", "status-open")


def _comment(program: str, what: str, rule: str) -> str:
    return f"Chosen: {what}.\n{ALLOW} {program}-{rule}"
