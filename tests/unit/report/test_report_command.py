"""``kato-lb report``: a page or a clear refusal, and then no page."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from page_reader import read
from run_samples import rollout_run, verify_run

from kato_balancing.cli import main
from kato_balancing.report.page import page

GOOD = json.dumps(verify_run().to_dict())
REPLICAS = json.dumps(
    {
        "replicas": [
            {
                "replica": "kato-0",
                "connections": 9,
                "drained_seconds": 7.2,
                "healthy_seconds": 3.5,
            }
        ],
        "problem": None,
    }
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["report", *words])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err.split("error: ", 1)[1]


@pytest.mark.parametrize("run", [verify_run(), rollout_run()], ids=["verify", "rollout"])
def test_the_page_is_written_whatever_the_verdict(run, place, capsys) -> None:
    (place / "run.json").write_text(json.dumps(run.to_dict()))

    assert main(["report", "run.json"]) == 0

    assert capsys.readouterr() == ("", "")
    assert (place / "report.html").read_text(encoding="utf-8") == page(run)


def test_a_replacement_is_taken_for_what_it_is(place) -> None:
    (place / "run.json").write_text(REPLICAS)

    assert main(["report", "run.json", "--out", "replaced.html"]) == 0

    assert read((place / "replaced.html").read_text()).all("h1")[0].text == "Replaced replicas"


def test_standard_input_and_output_in_any_terminal() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "kato_balancing.cli", "report", "-", "--out", "-"],
        input=GOOD.encode(),
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"},
        timeout=120,
        check=True,
    )

    assert ended.stderr == b""
    assert ended.stdout.decode() == page(verify_run())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not JSON"),
        ("no json", "is not JSON"),
        (GOOD[:-1], "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("1" * 5_000, "is not JSON"),
        ("{}", "format: is missing"),
        ("[]", "format: is missing"),
        ("null", "format: is missing"),
        ('{"format": "kato-lb-run/2"}', "format: must be kato-lb-run/1"),
        (GOOD.replace('"kind"', '"sort"'), "kind: is required"),
        (GOOD.replace("7801", '"7801"'), "checks[1].traffic.servers.kato-0: must be a whole"),
        (GOOD.replace("7801", "NaN"), "checks[1].traffic.servers.kato-0: must be a finite number"),
        (GOOD.replace("7801", "1e999"), "checks[1].traffic.servers.kato-0: must be a finite"),
        (GOOD.replace("7801", "9" * 400), "checks[1].traffic.servers.kato-0: must be a finite"),
        (GOOD.replace('"sessions": 40', '"sessions": NaN'), "checks[0].figures.sessions: must"),
        ('{"replicas": []}', "replicas: must have at least one"),
        ('{"replicas": [{}]}', "replicas[0].replica: is required"),
    ],
)
def test_what_is_no_run_is_refused_and_no_page_is_left(text, why, place, capsys) -> None:
    (place / "run.json").write_text(text)

    message = refused(capsys, "run.json")

    assert message.startswith(f"RUN.json: {why}")
    assert [file.name for file in place.iterdir()] == ["run.json"]


def test_an_empty_run_is_refused(place, capsys) -> None:
    document = {**verify_run().to_dict(), "checks": [], "holds": True}
    (place / "run.json").write_text(json.dumps(document))

    assert refused(capsys, "run.json").startswith("RUN.json: checks: must have at least one")
    assert not (place / "report.html").exists()


def test_bytes_that_are_no_text_are_refused(place, capsys, monkeypatch) -> None:
    (place / "run.json").write_bytes(b"\xff\xfe{")

    assert refused(capsys, "run.json").startswith("RUN.json: is not JSON")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    assert refused(capsys, "-").startswith("RUN.json: is not JSON")


def test_a_page_that_is_there_outlives_a_refusal(place, capsys) -> None:
    (place / "run.json").write_text("{}")
    (place / "report.html").write_text("the page before")

    refused(capsys, "run.json")

    assert (place / "report.html").read_text() == "the page before"


def test_many_wrong_fields_are_told_briefly(place, capsys) -> None:
    (place / "run.json").write_text(GOOD.replace('"requests": 4', '"requests": -4'))

    lines = refused(capsys, "run.json").splitlines()

    assert len(lines) == 11
    assert lines[-1].startswith("and ")
    assert lines[-1].endswith(" more")


@pytest.mark.parametrize("run", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_named(run, place, capsys) -> None:
    assert refused(capsys, run).startswith("RUN.json: can't be read")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("out", ["missing/report.html", "."])
def test_a_page_that_cannot_be_written_is_named(out, place, capsys) -> None:
    (place / "run.json").write_text(GOOD)

    assert refused(capsys, "run.json", "--out", out).startswith("--out: can't be written")
    assert [file.name for file in place.iterdir()] == ["run.json"]


@pytest.mark.parametrize("out", ["run.json", "./run.json", "link.json"])
def test_the_document_is_never_overwritten(out, place, capsys) -> None:
    (place / "run.json").write_text(GOOD)
    (place / "link.json").symlink_to("run.json")

    assert "is RUN.json itself" in refused(capsys, "run.json", "--out", out)
    assert (place / "run.json").read_text() == GOOD
