"""Reads files that anybody may have written: bounded in size, regular, text."""

import stat
from pathlib import Path
from typing import Final

from kato_balancing.lint.findings import LintError

MOST_BYTES: Final = 1_000_000
"""Larger than any balancer's hand-written configuration; a file beyond is refused unread."""

_LONGEST_LINE: Final = 20_000
"""nginx takes 4,096 characters of a word, HAProxy 16,384 of a line."""


def read_file(path: Path) -> str:
    """The file's text. Raises LintError for what is no configuration file."""
    name = str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise LintError(name, "is a folder; give the file in it")
        if not stat.S_ISREG(status.st_mode):
            raise LintError(name, "is not a regular file; use - to read standard input")
        if status.st_size > MOST_BYTES:
            raise LintError(name, _too_large(status.st_size))
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, LintError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise LintError(name, f"can't be read ({reason})") from None
    return decode(name, data)


def decode(name: str, data: bytes) -> str:
    """The bytes as text. Raises LintError for binary data, other encodings and too much."""
    if len(data) > MOST_BYTES:
        raise LintError(name, _too_large(len(data)))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LintError(name, "is not UTF-8 text; convert it first", line) from None
    check_text(name, text)
    return text


def check_text(name: str, text: str) -> None:
    """Raises LintError for a text that no server would take as a configuration."""
    if len(text) > MOST_BYTES:
        raise LintError(name, _too_large(len(text)))
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > _LONGEST_LINE:
            raise LintError(name, f"a line of {len(line):,} characters; no server takes it", number)
        if any(ord(char) < 32 and char not in "\t\r\f\v" for char in line):
            raise LintError(name, "has control characters; it is not a text file", number)
    if not text.strip():
        raise LintError(name, "is empty")


def _too_large(size: int) -> str:
    return f"has {size:,} bytes; a configuration of more than {MOST_BYTES:,} is not judged"
