"""The three packs as processes, started as Pulumi's engine starts them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "components"))

from analyzer import Packs


@pytest.fixture(scope="session")
def packs() -> Iterator[Packs]:
    """All packs with their defaults; a test that configures them says so."""
    with Packs() as running:
        yield running
