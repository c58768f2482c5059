"""Fixtures of the HAProxy tests.

``KATO_REWRITE_GOLDEN=1 pytest tests/unit/haproxy`` writes the golden files again; read the
difference before it is kept.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with the golden file of that name, byte by byte."""

    def same(name: str, text: str) -> None:
        file = GOLDEN / name
        if os.environ.get("KATO_REWRITE_GOLDEN"):
            file.write_bytes(text.encode())
        assert text.encode() == file.read_bytes(), f"{file.name} differs from what is rendered"

    return same
