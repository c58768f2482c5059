"""Reads a rendered nginx configuration with an independent parser (crossplane)."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import crossplane


@dataclass(frozen=True)
class Node:
    """A directive as the independent parser read it."""

    name: str
    arguments: tuple[str, ...]
    block: tuple["Node", ...] | None

    @property
    def words(self) -> str:
        """Name and arguments on one line."""
        return " ".join((self.name, *self.arguments))

    def all(self, name: str) -> list["Node"]:
        """The directives of this name directly inside."""
        return [node for node in self.block or () if node.name == name]

    def one(self, *words: str) -> "Node":
        """The only directive inside that starts with these words."""
        found = [
            node for node in self.block or () if (node.name, *node.arguments)[: len(words)] == words
        ]
        assert len(found) == 1, f"{len(found)} directives start with {words}"
        return found[0]

    def walk(self) -> Iterator["Node"]:
        """Every directive inside, at any depth."""
        for node in self.block or ():
            yield node
            yield from node.walk()

    @property
    def shape(self) -> Any:
        """The names of the directives, nested, without their arguments. An entry of a map is
        text, not a directive: only that it is there counts."""
        if self.block is None:
            return self.name
        if self.name in ("map", "geo", "split_clients"):
            return self.name, tuple(len(node.arguments) for node in self.block)
        return self.name, tuple(node.shape for node in self.block)


def read(text: str) -> Node:
    """The configuration as one root node; fails when the parser reports a problem."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nginx.conf"
        file.write_text(text, encoding="utf-8", newline="")
        payload = crossplane.parse(
            str(file),
            single=True,
            strict=False,
            catch_errors=True,
            check_ctx=False,
            check_args=False,
        )
    assert payload["status"] == "ok", payload["errors"]
    return Node("root", (), tuple(_node(item) for item in payload["config"][0]["parsed"]))


def _node(item: dict[str, Any]) -> Node:
    block = item.get("block")
    return Node(
        _as_nginx_reads(item["directive"]),
        tuple(map(_as_nginx_reads, item["args"])),
        None if block is None else tuple(_node(inner) for inner in block),
    )


def _as_nginx_reads(word: str) -> str:
    """The parser keeps a doubled backslash, nginx reads it as one."""
    return word.replace("\\\\", "\\")
