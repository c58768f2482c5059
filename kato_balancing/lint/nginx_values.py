"""What nginx's variables are worth for a sample request, as far as the file says."""

import re
from typing import Final

from kato_balancing.lint.nginx_tree import NginxTree, Node
from kato_balancing.lint.patterns import compiled
from kato_balancing.lint.sample_requests import Sample

_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DEEPEST: Final = 8
_MAP_OPTIONS: Final = frozenset({"default", "hostnames", "include", "volatile"})

CLIENT_ADDRESSES: Final = frozenset(
    {
        "remote_addr",
        "binary_remote_addr",
        "realip_remote_addr",
        "proxy_protocol_addr",
        "http_x_forwarded_for",
        "http_x_real_ip",
    }
)


def variables(text: str) -> list[str]:
    """Names of the variables in a text."""
    return [braced or plain for braced, plain in _VARIABLE.findall(text)]


def map_of(tree: NginxTree, name: str) -> Node | None:
    """The map that makes the variable."""
    return tree.maps.get(name)


def chain(tree: NginxTree, text: str) -> list[Node]:
    """The maps behind a text, nearest first."""
    found: list[Node] = []
    names = variables(text)
    while names and len(found) <= _DEEPEST:
        node = map_of(tree, names.pop(0))
        if node is not None and node not in found:
            found.append(node)
            names += variables(node.first)
    return found


def value(tree: NginxTree, text: str, request: Sample) -> str | None:
    """The text with its variables filled in; None when one of them is not known."""
    return _filled(tree, text, request, {}, 0)


def _filled(
    tree: NginxTree, text: str, request: Sample, captured: dict[str, str], depth: int
) -> str | None:
    result, end = "", 0
    for found in _VARIABLE.finditer(text):
        name = found[1] or found[2]
        filled = captured.get(name)
        if filled is None:
            filled = _variable(tree, name, request, depth)
        if filled is None:
            return None
        result += text[end : found.start()] + filled
        end = found.end()
    return result + text[end:]


def _variable(tree: NginxTree, name: str, request: Sample, depth: int) -> str | None:
    built_in = {
        "uri": request.normal_path,
        "document_uri": request.normal_path,
        "request_uri": request.target,
        "args": request.query,
        "query_string": request.query,
        "is_args": "?" if request.query else "",
        "request_method": "GET",
    }.get(name)
    if built_in is not None:
        return built_in
    if name.startswith("http_"):
        # The host's value is not known, but it is not empty.
        return None if name == "http_host" else request.header(name[5:].replace("_", "-"))
    if name.startswith(("cookie_", "arg_", "upstream_")):
        return ""
    node = map_of(tree, name)
    if node is None or depth >= _DEEPEST:
        return None
    source = _filled(tree, node.first, request, {}, depth + 1)
    return None if source is None else _mapped(tree, node, source, request, depth)


def _mapped(tree: NginxTree, node: Node, source: str, request: Sample, depth: int) -> str | None:
    entries = [(child.name, child.first) for child in node.children]
    for key, result in entries:
        plain = key not in _MAP_OPTIONS and not key.startswith("~")
        if plain and key.removeprefix("\\").lower() == source.lower():
            return _filled(tree, result, request, {}, depth + 1)
    for key, result in entries:
        if not key.startswith("~"):
            continue
        pattern = compiled(key.lstrip("~*"), ignore_case=key.startswith("~*"))
        if pattern is None:
            return None
        match = pattern.search(source)
        if match is not None:
            captured = {str(i): text or "" for i, text in enumerate(match.groups(), 1)}
            captured |= {name: text or "" for name, text in match.groupdict().items()}
            return _filled(tree, result, request, captured, depth + 1)
    defaults = [result for key, result in entries if key == "default"]
    return _filled(tree, defaults[0], request, {}, depth + 1) if defaults else ""
