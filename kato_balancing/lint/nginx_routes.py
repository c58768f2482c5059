"""Which location and which upstream a request reaches."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kato_balancing.lint.nginx_tree import NginxTree, Node
from kato_balancing.lint.nginx_values import chain, value, variables
from kato_balancing.lint.patterns import compiled
from kato_balancing.lint.sample_requests import Sample

_DEEPEST: Final = 6
_MOST_CHOICES: Final = 64


def proxied(tree: NginxTree) -> list[tuple[Node, Node]]:
    """Every block that passes requests on, with its proxy_pass."""
    return [
        (node.parent, node)
        for node in tree.named("proxy_pass")
        if node.parent is not None and node.arguments
    ]


def public_servers(tree: NginxTree) -> list[Node]:
    """The server blocks that pass requests on."""
    return [
        node
        for node in tree.named("server")
        if node.is_block and any(inner.name == "proxy_pass" for inner in node.walk())
    ]


def _host(proxy_pass: Node) -> str:
    return proxy_pass.first.partition("://")[2].partition("/")[0]


def _possible(tree: NginxTree, text: str, depth: int) -> list[tuple[str, bool]]:
    """What a text may be, and whether that takes a map's entry for an empty source."""
    names = variables(text)
    if not names:
        return [(text, False)] if text else []
    if depth >= _DEEPEST:
        return []
    name, found = names[0], []
    for choice, when_empty in _choices(tree, name):
        for value_, deeper in _possible(tree, choice, depth + 1):
            filled = text.replace(f"${{{name}}}", value_).replace(f"${name}", value_)
            found += [(whole, when_empty or deeper or rest)
                      for whole, rest in _possible(tree, filled, depth + 1)]  # fmt: skip
        if len(found) > _MOST_CHOICES:
            break
    return found[:_MOST_CHOICES]


def _choices(tree: NginxTree, name: str) -> Iterator[tuple[str, bool]]:
    made = [node for node in (tree.maps.get(name), *tree.named("split_clients")) if node]
    for node in made:
        if len(node.arguments) == 2 and node.arguments[1] == f"${name}":
            for child in node.children[:_MOST_CHOICES]:
                if child.arguments:
                    yield child.first, node.name == "map" and child.name == ""


@dataclass(frozen=True)
class Way:
    """One way to an upstream."""

    block: Node
    proxy_pass: Node
    when_empty: bool
    """It leads through a map's entry for an empty source."""


@lru_cache(maxsize=4)
def _ways(tree: NginxTree) -> dict[str, list[Way]]:
    found: dict[str, list[Way]] = {}
    for block, proxy_pass in proxied(tree):
        for name, when_empty in _possible(tree, _host(proxy_pass), 0):
            found.setdefault(name, []).append(Way(block, proxy_pass, when_empty))
    return found


def ways_to(tree: NginxTree, upstream: Node) -> list[Way]:
    """Every way to the upstream that the file shows."""
    return _ways(tree).get(upstream.first, [])


def only_without_session(tree: NginxTree, upstream: Node) -> bool:
    """True when every way to the upstream is a map's entry for requests without a session."""
    ways = ways_to(tree, upstream)
    return bool(ways) and all(way.when_empty for way in ways)


def only_as_fallback(tree: NginxTree, upstream: Node) -> bool:
    """True when the upstream is reached from named locations only, as after an error."""
    ways = ways_to(tree, upstream)
    return bool(ways) and all(
        way.block.name == "location" and way.block.first.startswith("@") for way in ways
    )


def location_of(server: Node, path: str) -> Node | None:
    """The location that nginx picks for a path; nested ones are not looked into."""
    locations = [node for node in server.all("location") if node.is_block and node.arguments]
    best: Node | None = None
    for node in locations:
        modifier, name = _modifier(node)
        if modifier == "=" and name == path:
            return node
        if modifier in ("", "^~") and not name.startswith("@") and path.startswith(name):
            best = node if best is None or len(name) > len(_modifier(best)[1]) else best
    if best is not None and _modifier(best)[0] == "^~":
        return best
    for node in locations:
        modifier, name = _modifier(node)
        if modifier in ("~", "~*"):
            pattern = compiled(name, ignore_case=modifier == "~*")
            if pattern is not None and pattern.search(path):
                return node
    return best


def _modifier(location: Node) -> tuple[str, str]:
    if len(location.arguments) >= 2:
        return location.arguments[0], location.arguments[1]
    return "", location.first


def passed_on(tree: NginxTree, server: Node, request: Sample) -> Node | None:
    """The location that passes the request to a backend; None when it is answered or unclear."""
    location = location_of(server, request.normal_path)
    if location is None or location.get("proxy_pass") is None:
        return None
    for block in (server, location):
        if block.get("return") is not None or block.get("internal") is not None:
            return None
        if any(node.first == "all" for node in block.all("deny")):
            return None
        if any(_may_answer(tree, node, request) for node in block.all("if")):
            return None
    return location


def _may_answer(tree: NginxTree, condition: Node, request: Sample) -> bool:
    """True unless the condition is known not to hold for the request."""
    if condition.get("return") is None:
        return False
    words = " ".join(condition.arguments).strip().removeprefix("(").removesuffix(")").split()
    known = value(tree, words[0], request) if words else None
    if known is None or len(words) not in (1, 3):
        return True
    if len(words) == 1:
        return known not in ("", "0")
    return _compares(known, words[1], words[2])


def _compares(known: str, operator: str, operand: str) -> bool:
    if operator in ("=", "!="):
        return (known == operand) is (operator == "=")
    pattern = compiled(operand, ignore_case=operator.endswith("*"))
    if pattern is None or operator.lstrip("!") not in ("~", "~*"):
        return True
    return (pattern.search(known) is not None) is not operator.startswith("!")


def session_maps(tree: NginxTree, key: str) -> list[Node]:
    """The maps that make a session key of the request's path, farthest first."""
    return [
        node
        for node in reversed(chain(tree, key))
        if {"uri", "request_uri", "document_uri"} & set(variables(node.first))
    ]
