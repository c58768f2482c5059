"""Which servers the balancer says it used."""

import re
from typing import Final

LONGEST_NAME: Final = 100

_SEPARATOR = re.compile(r",| : ")


def servers_named(value: str | None) -> tuple[str, ...]:
    """The servers in the value of the reveal header, in the order in which they were tried.

    The last one answered; more than one means that the balancer tried again. Empty when the
    header is missing or names nobody (``-``). Commas separate them, and colons between spaces,
    with which nginx begins another group of servers. Names come from outside and end on a
    terminal, so they are cut to 100 characters and unprintable ones become ``?``.
    """
    if value is None:
        return ()
    names = (part.strip() for part in _SEPARATOR.split(value))
    return tuple(_printable(name) for name in names if name not in {"", "-"})


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:LONGEST_NAME])
