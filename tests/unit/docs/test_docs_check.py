"""``python -m dev.docs`` writes what is stale; with ``--check`` it names it and writes nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from dev import docs
from dev.toolchain import places

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of four generated files: one fresh, one stale, one missing, one of no rule."""
    (tmp_path / "fresh.md").write_text("fresh\n")
    (tmp_path / "stale.md").write_text("old\n")
    (tmp_path / "gone.md").write_text("a rule that is gone\n")
    (tmp_path / "by-hand.md").write_text("by hand\n")
    wanted = {
        tmp_path / "fresh.md": "fresh\n",
        tmp_path / "stale.md": "new\n",
        tmp_path / "pages" / "missing.md": "new\n",
        tmp_path / "gone.md": None,
    }
    monkeypatch.setattr(docs, "generated", lambda: wanted)
    monkeypatch.setattr(places, "ROOT", tmp_path)
    return tmp_path


def content(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_text() for file in files}


def ran(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["docs", *words])
    return docs.main()


def test_check_names_what_is_stale_and_writes_nothing(tree, monkeypatch, capsys) -> None:
    before = content(tree)

    assert ran(monkeypatch, "--check") == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{name} is stale: run 'make docs'" for name in ("stale.md", "pages/missing.md", "gone.md")
    ]
    assert content(tree) == before


def test_without_check_it_writes_and_then_nothing_is_stale(tree, monkeypatch, capsys) -> None:
    assert ran(monkeypatch) == 0
    assert content(tree) == {
        "fresh.md": "fresh\n",
        "stale.md": "new\n",
        "pages/missing.md": "new\n",
        "by-hand.md": "by hand\n",
    }
    assert ran(monkeypatch, "--check") == 0
    assert capsys.readouterr() == ("", "")


def test_the_settings_in_the_readme_are_those_of_the_project(tmp_path, monkeypatch, capsys) -> None:
    readme = tmp_path / "README.md"
    text = docs.README.read_text()
    readme.write_text(
        text.replace("| `replicas` | integer | `3` |", "| `replicas` | integer | `4` |")
    )
    assert readme.read_text() != text
    monkeypatch.setattr(docs, "README", readme)
    monkeypatch.setattr(docs, "generated", lambda: {readme: docs.updated(readme.read_text())})
    monkeypatch.setattr(places, "ROOT", tmp_path)

    assert ran(monkeypatch, "--check") == 1
    assert "README.md is stale" in capsys.readouterr().err


def test_a_readme_without_its_marks_is_said() -> None:
    with pytest.raises(ValueError, match="lost the marks"):
        docs.updated("# No table\n")


def test_the_repositorys_own_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dev.docs", "--check"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
