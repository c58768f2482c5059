"""``kato-lb lint`` as people and pipelines call it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kato_balancing import cli
from kato_balancing.lint import rules
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.nginx_base import NGINX_BASE

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "lint"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A sound file, one with a warning, one with an info only."""
    monkeypatch.chdir(tmp_path)
    Path("sound.conf").write_text(NGINX_BASE)
    Path("sound.cfg").write_text(HAPROXY_BASE)
    Path("warning.conf").write_text(NGINX_BASE.replace("hash $session consistent;", "ip_hash;"))
    Path("info.conf").write_text(NGINX_BASE.replace("    server_tokens off;\n", ""))
    Path("error.conf").write_text(NGINX_BASE.replace("_timeout 4s", "_timeout 60s"))


def run(*words: str) -> int:
    try:
        return cli.main(["lint", *words])
    except SystemExit as stopped:
        return int(stopped.code)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["sound.conf", "sound.cfg"], 0),
        (["warning.conf"], 1),
        (["sound.conf", "warning.conf"], 1),
        (["info.conf"], 0),
        (["info.conf", "--fail-on", "info"], 1),
        (["warning.conf", "--fail-on", "error"], 0),
        (["error.conf", "--fail-on", "error"], 1),
        (["warning.conf", "--json"], 1),
        (["warning.conf", "--sarif"], 1),
        (["sound.conf", "--version", "1.30"], 0),
        (["sound.conf", "--version", "1.22"], 1),
        (["sound.cfg", "--for", "haproxy", "--version", "3.2"], 0),
        (["--list"], 0),
        ([], 2),
        (["missing.conf"], 2),
        (["."], 2),
        (["sound.conf", "--for", "apache"], 2),
        (["sound.conf", "--version", "new"], 2),
        (["sound.conf", "--fail-on", "never"], 2),
        (["sound.conf", "--root", "missing"], 2),
        (["sound.conf", "--json", "--sarif"], 2),
        (["sound.conf", "--for", "haproxy"], 2),
    ],
)
@pytest.mark.usefixtures("files")
def test_exit_codes(words, code, capsys) -> None:
    assert run(*words) == code
    if code == 2:
        assert "error: " in capsys.readouterr().err


@pytest.mark.usefixtures("files")
def test_text_names_file_line_severity_rule_and_cure(capsys) -> None:
    run("warning.conf")

    first, cure, count = capsys.readouterr().out.splitlines()
    line = NGINX_BASE[: NGINX_BASE.index("hash $session")].count("\n") + 1
    assert first.startswith(f"warning.conf:{line}: warning nginx-ip-hash: ")
    assert cure.startswith("    cure: hash by the session")
    assert count == "1 warning in 1 file"


@pytest.mark.usefixtures("files")
def test_text_passes_no_control_characters_and_no_markup_on(capsys, tmp_path) -> None:
    (tmp_path / "nasty.conf").write_text(
        'upstream "a[bold]\u202e\u009b31m" { ip_hash; server 10.0.0.1:80; server 10.0.0.2:80; }\n'
    )

    run("nasty.conf")

    out = capsys.readouterr().out
    assert "a[bold]??31m" in out
    assert "\u009b" not in out


@pytest.mark.usefixtures("files")
def test_json_has_stable_keys(capsys) -> None:
    run("warning.conf", "sound.cfg", "--json")

    data = json.loads(capsys.readouterr().out)
    assert list(data) == ["files", "findings", "counts"]
    assert data["files"] == ["warning.conf", "sound.cfg"]
    assert data["counts"] == {"info": 0, "warning": 1, "error": 0}
    (finding,) = data["findings"]
    assert list(finding) == ["rule", "severity", "file", "line", "message", "cure"]


@pytest.mark.usefixtures("files")
def test_sarif_has_what_the_standard_asks_for(capsys) -> None:
    run("warning.conf", "info.conf", "error.conf", "--sarif")

    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    (job,) = log["runs"]
    driver = job["tool"]["driver"]
    assert driver["name"] == "kato-lb"
    assert [entry["id"] for entry in driver["rules"]] == [rule.id for rule in rules]
    for entry in driver["rules"]:
        assert entry["shortDescription"]["text"]
        assert entry["fullDescription"]["text"]
        assert entry["defaultConfiguration"]["level"] in ("note", "warning", "error")
        assert (ROOT / entry["helpUri"]).is_file()
    assert {result["level"] for result in job["results"]} == {"note", "warning", "error"}
    for result in job["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        assert physical["region"]["startLine"] >= 1
        assert physical["artifactLocation"]["uri"] in ("warning.conf", "info.conf", "error.conf")


@pytest.mark.usefixtures("files")
def test_a_sarif_uri_is_quoted(capsys, tmp_path) -> None:
    file = tmp_path / "my file#1.conf"
    file.write_text(Path("warning.conf").read_text())

    run(str(file), "--sarif")

    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == file.as_uri()


def test_every_rule_is_listed(capsys) -> None:
    run("--list")

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [rule.id for rule in rules]


def test_standard_input_is_read_and_there_is_no_traceback() -> None:
    for text, code in ((NGINX_BASE.encode(), 0), (b"\xff\xfe\x00", 2), (b"", 2), (b"a { b", 2)):
        done = subprocess.run(
            [sys.executable, "-m", "kato_balancing.cli", "lint", "-"],
            input=text, capture_output=True, timeout=60, check=False, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in done.stderr


def test_the_pages_are_those_of_the_rules() -> None:
    from kato_balancing.lint.pages import pages

    assert {file.name: file.read_text() for file in PAGES.iterdir()} == pages(), "run 'make docs'"


def test_docs_check_finds_a_stale_page(monkeypatch, capsys) -> None:
    from dev import docs

    monkeypatch.setattr(docs, "LINT_PAGES", docs.LINT_PAGES)
    monkeypatch.setattr(docs, "pages", lambda: {"index.md": "something else\n"})
    monkeypatch.setattr(sys, "argv", ["docs", "--check"])

    assert docs.main() == 1
    assert "docs/lint/index.md is stale" in capsys.readouterr().err
