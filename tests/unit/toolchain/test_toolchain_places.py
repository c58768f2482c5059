"""Cache keys: a changed recipe is another entry."""

from pathlib import Path

import pytest

from dev.toolchain import places


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe of two files."""
    folder = tmp_path / "recipe"
    (folder / "inner").mkdir(parents=True)
    (folder / "go.mod").write_text("module m\n")
    (folder / "inner" / "main.go").write_text("package main\n")
    return folder


def test_the_same_content_has_the_same_key_wherever_it_is(recipe: Path, tmp_path: Path) -> None:
    before = places.fingerprint(recipe)
    (tmp_path / "elsewhere").mkdir()
    moved = recipe.rename(tmp_path / "elsewhere" / "recipe")

    assert places.fingerprint(moved) == before
    assert len(before) == 12


def test_a_changed_file_changes_the_key(recipe: Path) -> None:
    before = places.fingerprint(recipe)
    (recipe / "inner" / "main.go").write_text("package main \n")

    assert places.fingerprint(recipe) != before


def test_a_renamed_file_changes_the_key(recipe: Path) -> None:
    before = places.fingerprint(recipe)
    (recipe / "go.mod").rename(recipe / "go.sum")

    assert places.fingerprint(recipe) != before


def test_a_new_file_changes_the_key(recipe: Path) -> None:
    before = places.fingerprint(recipe)
    (recipe / "empty").touch()

    assert places.fingerprint(recipe) != before


def test_content_that_moves_over_a_border_changes_the_key(tmp_path: Path) -> None:
    one, two = tmp_path / "one" / "r", tmp_path / "two" / "r"
    for folder, first, second in ((one, "ab", "c"), (two, "a", "bc")):
        folder.mkdir(parents=True)
        (folder / "x").write_text(first)
        (folder / "y").write_text(second)

    assert places.fingerprint(one) != places.fingerprint(two)


def test_a_single_file_has_a_key(recipe: Path) -> None:
    file = recipe / "go.mod"
    before = places.fingerprint(file)
    file.write_text("module n\n")

    assert places.fingerprint(file) != before


def test_the_cache_is_where_the_user_wants_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wanted = places.cache()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    assert wanted == tmp_path / "kato-load-balancing"
    assert places.cache() == tmp_path / "home" / ".cache" / "kato-load-balancing"
