"""crossplane's lexer, typed, on a text.

Its parser is not used: it takes a ``}`` for the end of an unfinished directive, follows any
include, and recurses once per brace.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import crossplane  # type: ignore[import-untyped]
from crossplane.errors import NgxParserBaseException  # type: ignore[import-untyped]

from kato_balancing.lint.findings import LintError

Token = tuple[str, int, bool]
"""Text, line, and whether it stood in quotes."""


def tokens(file: str, text: str) -> Iterator[Token]:
    """The text's words and braces. Raises LintError for braces that don't pair."""
    with tempfile.TemporaryDirectory(prefix="kato-lint-") as folder:
        copy = Path(folder, "nginx.conf")
        # A last word without a newline behind it would be lost.
        copy.write_text(text + "\n", encoding="utf-8", newline="\n")
        try:
            for word, line, quoted in crossplane.lex(str(copy)):
                yield str(word), int(line), bool(quoted)
        except NgxParserBaseException as error:
            raise LintError(file, str(error.strerror), int(error.lineno)) from None
