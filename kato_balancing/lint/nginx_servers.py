"""What an upstream says about its servers and about how it picks one."""

import ipaddress
from typing import Final

from kato_balancing.lint.nginx_tree import Node

METHODS: Final = ("hash", "ip_hash", "least_conn", "least_time", "random")
"""Balancing methods; at most one counts."""


def servers(upstream: Node) -> list[Node]:
    """The server lines."""
    return [node for node in upstream.all("server") if node.arguments]


def active(upstream: Node) -> list[Node]:
    """The server lines that take work in ordinary times."""
    return [node for node in servers(upstream) if not {"backup", "down"} & set(node.arguments)]


def parameter(server: Node, name: str) -> str | None:
    """The value of ``name=value``."""
    for argument in server.arguments[1:]:
        key, separator, value = argument.partition("=")
        if separator and key == name:
            return value
    return None


def several(upstream: Node) -> bool:
    """True when the upstream has more than one server for certain."""
    return len(active(upstream)) > 1 or any(parameter(s, "service") for s in active(upstream))


def method(upstream: Node) -> Node | None:
    """The balancing method, None for round robin."""
    return next(iter(upstream.all(*METHODS)), None)


def host(server: Node) -> str:
    """The server's name or address, without its port."""
    text = server.first
    if text.startswith(("unix:", "[")):
        return text.partition("]")[0].lstrip("[") if text.startswith("[") else text
    name, separator, port = text.rpartition(":")
    return name if separator and port.isdigit() else text


def is_name(server: Node) -> bool:
    """True for a name that DNS must know, False for an address."""
    text = host(server)
    if text.startswith("unix:") or text == "localhost" or "$" in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return True
    return False
