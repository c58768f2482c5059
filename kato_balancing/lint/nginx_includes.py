"""Follows nginx's includes: only below one folder, each file once in a chain, bounded."""

import glob
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kato_balancing.lint.nginx_tree import NginxTree, Node, parse
from kato_balancing.lint.reading import read_file

_DEEPEST: Final = 10
_MOST_FILES: Final = 200
_MOST_CHARACTERS: Final = 3_000_000
_OF_NO_INTEREST: Final = frozenset(
    {"mime.types", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params"}
)
"""Files that come with nginx and say nothing about balancing."""


@dataclass
class _Reading:
    tree: NginxTree
    folder: Path
    root: Path
    files: int = 0
    characters: int = 0
    chain: list[Path] = field(default_factory=list)


def follow(tree: NginxTree, file: Path, root: Path) -> None:
    """Put every included file's directives where its include stands.

    What is not followed is noted in ``tree.unread``. A file that is found and can't be parsed
    raises LintError, as the main file does.
    """
    reading = _Reading(tree, file.parent.resolve(), root.resolve(), chain=[file.resolve()])
    _expand(reading, tree.root)


def note_unfollowed(tree: NginxTree) -> None:
    """Note every include of a configuration that was given as text."""
    for include in tree.named("include"):
        in_map = include.parent is not None and include.parent.name in ("map", "types")
        if include.first and not in_map and Path(include.first).name not in _OF_NO_INTEREST:
            tree.unread.append((include.place, f"{include.first!r} was not read: only files have "
                                "a folder to look in"))  # fmt: skip


def _expand(reading: _Reading, node: Node) -> None:
    children: list[Node] = []
    for child in node.children:
        if child.name == "include" and not child.is_block and child.arguments:
            children += _included(reading, child)
        else:
            _expand(reading, child)
            children.append(child)
    node.children = children
    for child in children:
        child.parent = node


def _included(reading: _Reading, include: Node) -> list[Node]:
    found: list[Node] = []
    for path, refused in _paths(reading, include.first):
        problem = refused or _refusal(reading, path)
        if problem is not None:
            if path.name not in _OF_NO_INTEREST:
                reading.tree.unread.append((include.place, f"{include.first!r} {problem}"))
            continue
        reading.files += 1
        name = str(path)
        text = read_file(path)
        reading.characters += len(text)
        reading.tree.sources[name] = text
        inner = parse(name, text)
        reading.chain.append(path.resolve())
        _expand(reading, inner)
        reading.chain.pop()
        found += inner.children
    return found


def _paths(reading: _Reading, pattern: str) -> list[tuple[Path, str | None]]:
    # Relative names start at the main file's folder, whichever file includes them.
    whole = Path(reading.folder, pattern)
    if ".." in whole.parts or not whole.is_relative_to(reading.root):
        return [(whole, _outside(reading))]
    if not glob.has_magic(pattern):
        return [(whole, None)]
    if "**" in pattern:
        return [(whole, "has '**', which nginx does not know")]
    matches = sorted(glob.glob(str(whole)))
    return [(Path(match), None) for match in matches[: _MOST_FILES + 1]]


def _refusal(reading: _Reading, path: Path) -> str | None:
    try:
        resolved = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return "is not there; nginx does not start without it"
    if not resolved.is_relative_to(reading.root):
        return _outside(reading)
    if resolved in reading.chain:
        return "includes itself; nginx does not start"
    if len(reading.chain) > _DEEPEST:
        return f"is included more than {_DEEPEST} files deep"
    if reading.files >= _MOST_FILES or reading.characters > _MOST_CHARACTERS:
        return f"is too much; up to {_MOST_FILES} files or {_MOST_CHARACTERS:,} characters are read"
    return None


def _outside(reading: _Reading) -> str:
    return f"is outside of {reading.root}, so it was not read; name a folder above with --root"
