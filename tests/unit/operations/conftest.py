"""What tests of the operator's commands share."""

from pathlib import Path

import pytest
from fake_pulumi import FakePulumi


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePulumi:
    """The only ``pulumi`` on the path."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return FakePulumi(tmp_path)
