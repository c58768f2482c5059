"""nginx's configuration syntax: directives in, text out, every argument quoted as it needs."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BARE = re.compile(r"[A-Za-z0-9_./:$=@,*^~-]+|\(\$\w+\)?|\d+\)")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f]")
_INDENT = "    "


@dataclass(frozen=True)
class Directive:
    """One directive; ``block`` is None for a simple one."""

    name: str
    arguments: tuple[str, ...] = ()
    block: tuple["Directive", ...] | None = None
    comment: str = ""


def directive(name: str, *arguments: object, comment: str = "") -> Directive:
    """A simple directive."""
    return Directive(name, tuple(map(str, arguments)), comment=comment)


def block(
    name: str, *arguments: object, inside: Iterable[Directive], comment: str = ""
) -> Directive:
    """A directive with a block."""
    return Directive(name, tuple(map(str, arguments)), tuple(inside), comment)


def mapping(source: str, target: str, *entries: tuple[str, str], comment: str = "") -> Directive:
    """A ``map`` from one variable to another."""
    inside = [directive(value, result) for value, result in entries]
    return block("map", source, target, inside=inside, comment=comment)


def request_header(name: str) -> str:
    """The variable that holds a request header."""
    return "$http_" + name.lower().replace("-", "_")


def quote(argument: str) -> str:
    """The argument as nginx reads it back. Raises ValueError for control characters, which no
    setting may hold."""
    if _FORBIDDEN.search(argument):
        raise ValueError(f"control character in {argument!r}")
    if _BARE.fullmatch(argument):
        return argument
    mark = "'" if '"' in argument and "'" not in argument else '"'
    return mark + argument.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


def text(directives: Iterable[Directive]) -> str:
    """The directives as a file."""
    return "\n".join(_lines(directives, "")) + "\n"


def _lines(directives: Iterable[Directive], indent: str) -> Iterator[str]:
    for item in directives:
        if item.comment:
            if item.block is not None:
                yield ""
            yield from (f"{indent}# {line}" for line in item.comment.splitlines())
        # A map's entries are directives whose name is any text.
        words = " ".join(map(quote, (item.name, *item.arguments)))
        if item.block is None:
            yield f"{indent}{words};"
        else:
            yield f"{indent}{words} {{"
            yield from _lines(item.block, indent + _INDENT)
            yield f"{indent}}}"
