"""Rules on nginx's learned session table."""

from collections.abc import Iterator
from typing import Final

from kato_balancing import kato
from kato_balancing.lint.amounts import nginx_seconds
from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.nginx_tree import NginxTree, Node
from kato_balancing.lint.nginx_values import chain, variables
from kato_balancing.lint.rule import Program, Rule, changed

_LEARN_MAP: Final = """\
    map $path_session $learned {
        "" "";
        default $upstream_http_x_session_id;
    }
    upstream kato {
"""
_LEARN: Final = (
    "        sticky learn create=$learned lookup=$session zone=sessions:16m timeout=2h header;\n"
    "        keepalive 32;"
)
_BASE: Final = changed(
    changed(NGINX_BASE, "    upstream kato {\n", _LEARN_MAP), "        keepalive 32;", _LEARN
)


def _tables(tree: NginxTree) -> list[tuple[Node, dict[str, str]]]:
    return [
        (node, dict(argument.partition("=")[::2] for argument in node.arguments[1:]))
        for node in tree.named("sticky")
        if node.first == "learn"
    ]


def _short(tree: NginxTree) -> Iterator[Hit]:
    for node, settings in _tables(tree):
        timeout = nginx_seconds(settings.get("timeout", "10m"))
        if timeout is not None and timeout < kato.SESSION_TTL_SECONDS:
            yield (
                node.place,
                f"sessions are forgotten after {timeout:g} s"
                + ("" if "timeout" in settings else ", the default"),
            )


def _any_path(tree: NginxTree) -> Iterator[Hit]:
    for node, settings in _tables(tree):
        created = settings.get("create", "")
        header = "upstream_http_x_session_id"
        if header in variables(created):
            yield node.place, f"create={created} learns on every path"
        elif any(
            child.name == "default" and header in variables(child.first)
            for made in chain(tree, created)
            if not any(entry.name == "" for entry in made.children)
            for child in made.children
        ):
            yield node.place, f"create={created} learns where the path has no session too"


RULES: Final[tuple[Rule[NginxTree], ...]] = (
    Rule(
        id="nginx-learned-timeout-short",
        title="The table forgets sessions that still live",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_short,
        cure="write timeout=2h: KATO's sessions live for an hour after their last use",
        why="The default is 10 minutes. A session that is forgotten goes where the hash says, "
        "which after a scale-out is another server.",
        breaks=changed(_BASE, " timeout=2h", ""),
        holds=_BASE,
    ),
    Rule(
        id="nginx-learned-on-any-path",
        title="The table learns what clients made up",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_any_path,
        cure='learn on session paths only: map $path_session $learned { "" ""; '
        "default $upstream_http_x_session_id; } and create=$learned",
        why="On other paths KATO echoes whatever X-Session-ID the client sent, so a client fills "
        "the table and moves sessions.",
        breaks=changed(_BASE, "create=$learned", "create=$upstream_http_x_session_id"),
        holds=_BASE,
    ),
)
