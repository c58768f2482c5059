"""An independent checker of nginx files finds nothing in what is rendered."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.conf"))


def findings(file: Path) -> list[str]:
    gixy = Path(sys.executable).with_name("gixy")
    done = subprocess.run(
        [gixy, "--format", "json", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return [found["plugin"] for found in json.loads(done.stdout)]


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.name)
def test_gixy_finds_nothing(file: Path) -> None:
    assert findings(file) == []


def test_gixy_can_find_something(tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(GOLDEN[0].read_text().replace("server_tokens off;", "server_tokens on;"))
    assert "version_disclosure" in findings(file)
