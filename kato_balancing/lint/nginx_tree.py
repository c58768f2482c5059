"""An nginx configuration as a tree: who contains whom, what is inherited."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from kato_balancing.lint.findings import LintError, Place
from kato_balancing.lint.nginx_lexer import tokens
from kato_balancing.targets import Version

_DEEPEST: Final = 50
"""nginx's own blocks nest five deep or so."""


@dataclass(eq=False)
class Node:
    """One directive. ``children`` is empty for a simple one."""

    name: str
    arguments: tuple[str, ...]
    place: Place
    parent: "Node | None" = None
    is_block: bool = False
    children: list["Node"] = field(default_factory=list)

    @property
    def first(self) -> str:
        """The first argument, or nothing."""
        return self.arguments[0] if self.arguments else ""

    @cached_property
    def _by_name(self) -> dict[str, list["Node"]]:
        found: dict[str, list[Node]] = {}
        for child in self.children:
            found.setdefault(child.name, []).append(child)
        return found

    def all(self, *names: str) -> list["Node"]:
        """The directives of these names right inside. The tree is complete by then."""
        if len(names) == 1:
            return self._by_name.get(names[0], [])
        return [child for child in self.children if child.name in names]

    def get(self, name: str) -> "Node | None":
        """The first directive of this name right inside."""
        return next(iter(self.all(name)), None)

    def walk(self) -> Iterator["Node"]:
        """Every directive inside, in the file's order."""
        for child in self.children:
            yield child
            yield from child.walk()

    def effective(self, name: str) -> "Node | None":
        """The directive that rules here: the nearest, from inside to outside."""
        here: Node | None = self
        while here is not None:
            found = here.get(name)
            if found is not None:
                return found
            here = here.parent
        return None

    def effective_all(self, name: str) -> list["Node"]:
        """For directives that add up: one level with any of its own inherits none."""
        here: Node | None = self
        while here is not None:
            found = here.all(name)
            if found:
                return found
            here = here.parent
        return []

    def within(self, *names: str) -> "Node | None":
        """The nearest block of one of these names around this one."""
        here = self.parent
        while here is not None and here.name not in names:
            here = here.parent
        return here


@dataclass(eq=False)
class NginxTree:
    """A file with its includes."""

    root: Node
    sources: dict[str, str]
    """Text by file name, the first one being the file itself."""
    version: Version | None = None
    """Version that the file is for; None when nobody said."""
    version_is_stated: bool = False
    """The caller named the version of a server, not only the file's own header."""
    unread: list[tuple[Place, str]] = field(default_factory=list)
    """Includes that were not followed, and why."""

    @property
    def whole(self) -> bool:
        """True for a whole configuration, False for a fragment such as one upstream."""
        return self.root.get("http") is not None

    @cached_property
    def _by_name(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for node in self.root.walk():
            found.setdefault(node.name, []).append(node)
        return found

    def named(self, *names: str) -> list[Node]:
        """Every directive of these names, wherever it stands. The tree is complete by then."""
        return [node for name in names for node in self._by_name.get(name, ())]

    @cached_property
    def maps(self) -> dict[str, Node]:
        """The map that makes each variable."""
        found: dict[str, Node] = {}
        for node in self.named("map"):
            if node.is_block and len(node.arguments) == 2 and node.arguments[1].startswith("$"):
                found.setdefault(node.arguments[1][1:], node)
        return found

    @property
    def upstreams(self) -> list[Node]:
        """The upstream blocks."""
        return [node for node in self.named("upstream") if node.is_block and node.arguments]

    @property
    def http(self) -> Node:
        """Where http's directives stand: its block, or a fragment's top."""
        return self.root.get("http") or self.root

    def below(self, version: Version) -> bool:
        """True unless the version is known to be this one or newer."""
        return self.version is None or self.version < version


def parse(file: str, text: str) -> Node:
    """The tree of one file, includes not followed. Raises LintError when it has no structure."""
    root = Node("", (), Place(file, 1), is_block=True)
    here, depth = root, 0
    words: list[str] = []
    start = 0
    for word, line, quoted in tokens(file, text):
        if quoted or word not in ("{", "}", ";"):
            if words or quoted or not word.startswith("#"):
                start = start if words else line
                if not (word.startswith("#") and not quoted):
                    words.append(_unescaped(word))
            continue
        if word == "}":
            if words:
                raise LintError(file, f"{_shown(words)} is not ended by ';'", start)
            here = here.parent or root
            depth -= 1
            continue
        if not words:
            if word == "{":
                raise LintError(file, "a block without a name", line)
            continue
        node = Node(words[0], tuple(words[1:]), Place(file, start), here, word == "{")
        here.children.append(node)
        words = []
        if word == "{":
            here, depth = node, depth + 1
            if depth > _DEEPEST:
                raise LintError(file, f"blocks are nested more than {_DEEPEST} deep", line)
    if words:
        raise LintError(file, f"the file ends within {_shown(words)}; is a ';' missing?", start)
    return root


def _unescaped(word: str) -> str:
    return re.sub(r"\\([\\\"'])", r"\1", word)


def _shown(words: list[str]) -> str:
    text = " ".join(words)
    return repr(text if len(text) <= 40 else text[:37] + "...")
