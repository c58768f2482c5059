"""The report in a real browser without any network: it asks for nothing and shows its plots."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from pulumi_stack import ROOT, must

from kato_balancing.report.page import page

sys.path.insert(0, str(ROOT / "tests" / "unit" / "report"))
from run_samples import rollout_run, verify_run

LIMIT_SECONDS = 120
SIZE = (1200, 3200)
NOBODY = "not an origin"
COLOURS = {"p50": (47, 109, 181), "p95": (184, 100, 15), "failures": (192, 50, 43)}


def _browser() -> str:
    found = shutil.which("chromium")
    assert found, "chromium is not installed: run 'make test', which installs it"
    return found


def _shown(file: Path, folder: Path) -> tuple[Image.Image, list[str]]:
    """A screenshot of the page, and every address that the page asked for."""
    picture, log = folder / "page.png", folder / "net.json"
    subprocess.run(
        [
            _browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--no-first-run",
            "--disable-features=Translate,OptimizationHints,MediaRouter,NetworkTimeServiceQuerying",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
            f"--log-net-log={log}", f"--window-size={SIZE[0]},{SIZE[1]}",
            f"--screenshot={picture}", file.as_uri(),
        ],
        check=True, capture_output=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    events = json.loads(log.read_text())["events"]
    parameters = [event.get("params", {}) for event in events]
    asked = {
        found["url"]
        for found in parameters
        # Chromium asks for its own updates too, on nobody's behalf.
        if "url" in found and found.get("initiator", NOBODY) != NOBODY
    }
    return Image.open(picture).convert("RGB"), sorted(asked)


def _pixels(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    found = picture.getcolors(maxcolors=SIZE[0] * SIZE[1]) or []
    near = [
        count
        for count, seen in found
        if isinstance(seen, tuple)
        and all(abs(a - b) <= 12 for a, b in zip(seen, colour, strict=True))
    ]
    return sum(near)


@pytest.mark.parametrize("run", [verify_run(), rollout_run()], ids=["verify", "rollout"])
def test_the_page_shows_its_plots_and_asks_for_nothing(run, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(run), encoding="utf-8")

    picture, asked = _shown(file, tmp_path)

    assert asked == []
    for name, colour in COLOURS.items():
        assert _pixels(picture, colour) > 200, f"the {name} are not to be seen"


def test_a_page_that_asks_for_something_is_found_out(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text('<img src="http://elsewhere.example/pixel.png">')

    _, asked = _shown(file, tmp_path)

    assert asked == ["http://elsewhere.example/pixel.png"]


def test_the_command_makes_the_page_of_a_document(tmp_path: Path) -> None:
    document, out = tmp_path / "run.json", tmp_path / "report.html"
    document.write_text(json.dumps(verify_run().to_dict()))

    must([sys.executable, "-m", "kato_balancing.cli", "report", str(document), "--out", str(out)])

    assert out.read_text() == page(verify_run())
