"""Rules on what a version or edition of nginx can't do, or should no longer be asked to do."""

from collections.abc import Iterator
from typing import Final

from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.nginx_tree import NginxTree, Node
from kato_balancing.lint.rule import Program, Rule, changed
from kato_balancing.lint.versions import shown
from kato_balancing.targets import Version

_SINCE: Final[dict[str, Version]] = {
    "sticky": (1, 29, 6),
    "keepalive_min_timeout": (1, 27, 4),
    "least_time": (1, 31, 0),
    "max_headers": (1, 29, 8),
}
_SERVER_SINCE: Final[dict[str, Version]] = {
    "resolve": (1, 27, 3),
    "service": (1, 27, 3),
    "route": (1, 29, 6),
    "drain": (1, 29, 6),
}
_PLUS: Final = ("health_check", "queue", "state", "ntlm", "zone_sync", "match", "status_zone",
                "sticky_cookie_insert", "keyval", "api")  # fmt: skip
_PLUS_IN: Final = ("upstream", "server", "location", "http")
_FLOOR: Final[Version] = (1, 30, 4)
_MAINLINE_FLOOR: Final[Version] = (1, 31, 3)


def _too_new(tree: NginxTree) -> Iterator[Hit]:
    if tree.version is None:
        return
    seen = set()
    for node in tree.root.walk():
        inside = node.parent is not None and node.parent.name == "upstream"
        features: list[tuple[str, Version]] = []
        if node.name in _SINCE and (node.name != "sticky" or inside):
            features.append((node.name, _SINCE[node.name]))
        if node.name == "server" and inside:
            words = {argument.partition("=")[0] for argument in node.arguments[1:]}
            features += [(word, since) for word, since in _SERVER_SINCE.items() if word in words]
        for word, since in features:
            if tree.version < since and word not in seen:
                seen.add(word)
                yield (
                    node.place,
                    f"{word} needs nginx {shown(since)}, this is {shown(tree.version)}",
                )


def _plus(tree: NginxTree) -> Iterator[Hit]:
    for node in tree.root.walk():
        around = node.parent.name if node.parent is not None else ""
        if node.name in _PLUS and around in (*_PLUS_IN, ""):
            yield node.place, f"{node.name} is NGINX Plus"
        elif node.name == "sticky" and any(word.startswith("sync") for word in node.arguments):
            yield node.place, "sticky … sync is NGINX Plus"
        elif node.name == "server" and around == "upstream":
            yield from _plus_server(node)


def _plus_server(node: Node) -> Iterator[Hit]:
    if any(word.startswith("slow_start=") for word in node.arguments):
        yield node.place, "slow_start is NGINX Plus"


def _below_floor(tree: NginxTree) -> Iterator[Hit]:
    version = tree.version
    if version is None or not tree.version_is_stated:
        return
    if version >= _MAINLINE_FLOOR or _FLOOR <= version < (1, 31, 0):
        return
    for node in tree.named("map"):
        pattern = next((child for child in node.children if child.name.startswith("~")), None)
        if pattern is not None:
            yield (
                node.place,
                f"nginx {shown(version)} can be made to overflow its heap by a map with a pattern",
            )
            return


RULES: Final[tuple[Rule[NginxTree], ...]] = (
    Rule(
        id="nginx-plus-only",
        title="Only NGINX Plus can do this",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_plus,
        cure="use max_fails with a zone and let the orchestrator remove what is not ready; active "
        "checks, queues and slow start are in HAProxy",
        why='Open-source nginx does not start ("unknown directive"). The checks themselves would '
        "need 30 s at interval=10s fails=3.",
        breaks=changed(
            NGINX_BASE,
            "            proxy_pass http://kato;\n        }\n        location = /status",
            "            proxy_pass http://kato;\n"
            "            health_check interval=10s fails=3 passes=2 uri=/health;\n"
            "        }\n        location = /status",
        ),
        holds=NGINX_BASE,
        flaws=(4,),
    ),
    Rule(
        id="nginx-too-old-for-this",
        title="This version of nginx does not know the directive",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_too_new,
        cure="use the version that is named, or leave the directive out",
        why="nginx does not start. Judged only when the version is known: --version, or a file "
        "that this project rendered.",
        breaks=NGINX_BASE,
        holds=NGINX_BASE,
        flaws=(1, 2),
        breaks_version=(1, 22, 1),
        holds_version=(1, 30, 4),
        companions=("nginx-below-security-floor",),
    ),
    Rule(
        id="nginx-below-security-floor",
        title="A known hole that the session map opens",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_below_floor,
        cure="run nginx 1.30.4 (stable) or 1.31.3 (mainline), pinned by digest; a distribution may "
        "have mended its older one",
        why="CVE-2026-42533 is a heap overflow in map with a regular expression, which every "
        "session map is. Judged only with --version.",
        breaks=NGINX_BASE,
        holds=NGINX_BASE,
        flaws=(19,),
        breaks_version=(1, 30, 3),
        holds_version=(1, 30, 4),
    ),
)
