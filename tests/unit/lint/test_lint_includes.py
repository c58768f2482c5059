"""nginx's includes: followed below one folder, and nowhere else."""

import pytest

from kato_balancing.lint import LintError, lint, lint_file
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.rule import changed

UPSTREAM = NGINX_BASE[NGINX_BASE.index("    upstream kato") : NGINX_BASE.index("    server {")]


@pytest.fixture
def folder(tmp_path):
    """A main file whose upstreams stand in a folder of their own."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "nginx.conf").write_text(
        changed(NGINX_BASE, UPSTREAM, "    include mime.types;\n    include conf.d/*.conf;\n")
    )
    (tmp_path / "conf.d" / "a.conf").write_text(UPSTREAM)
    return tmp_path


def test_included_files_are_judged_as_if_they_stood_there(folder) -> None:
    assert lint_file(folder / "nginx.conf") == []

    (folder / "conf.d" / "a.conf").write_text("\n" + UPSTREAM.replace("4s", "60s"))
    (found,) = lint_file(folder / "nginx.conf")

    assert found.rule == "nginx-keepalive-outlives-kato"
    assert found.place.file == str(folder / "conf.d" / "a.conf")
    assert found.place.line == 1 + UPSTREAM[: UPSTREAM.index("4s")].count("\n") + 1


def test_what_is_included_inherits_from_where_it_is_included(folder) -> None:
    main = folder / "nginx.conf"
    main.write_text(changed(main.read_text(), "            proxy_pass http://kato;\n        }\n"
                            "        location = /status", "            include pass.inc;\n"
                            "        }\n        location = /status"))  # fmt: skip
    (folder / "pass.inc").write_text("proxy_pass http://kato;\n")

    assert lint_file(main) == []


@pytest.mark.parametrize(
    ("include", "reason"),
    [
        ("missing.conf", "is not there"),
        ("../outside.conf", "is outside of"),
        ("/etc/hostname", "is outside of"),
        ("link.conf", "is outside of"),
        ("nginx.conf", "includes itself"),
        ("one.conf", "includes itself"),
        ("conf.d/**/*.conf", "has '**'"),
    ],
)
def test_what_is_not_followed_is_told(folder, include, reason) -> None:
    (folder.parent / "outside.conf").write_text("events {}\n")
    (folder / "link.conf").symlink_to(folder.parent / "outside.conf")
    (folder / "one.conf").write_text("include two.conf;\n")
    (folder / "two.conf").write_text("include one.conf;\n")
    main = folder / "nginx.conf"
    main.write_text(main.read_text() + f"include {include};\n")

    (found,) = lint_file(main)

    assert found.rule == "nginx-include-not-read"
    assert reason in found.message


def test_a_root_above_lets_more_be_read(folder) -> None:
    (folder.parent / "outside.conf").write_text("server_tokens on;\n")
    main = folder / "nginx.conf"
    main.write_text(main.read_text() + f"include {folder.parent}/outside.conf;\n")

    assert [finding.rule for finding in lint_file(main)] == ["nginx-include-not-read"]
    assert lint_file(main, root=folder.parent) == []


def test_a_chain_that_never_ends_is_cut(folder) -> None:
    for number in range(30):
        (folder / f"n{number}.conf").write_text(f"include n{number + 1}.conf;\n")
    main = folder / "nginx.conf"
    main.write_text(main.read_text() + "include n0.conf;\n")

    (found,) = lint_file(main)

    assert "files deep" in found.message


def test_a_fan_that_grows_without_end_is_cut(folder) -> None:
    for number in range(8):
        (folder / f"n{number}.conf").write_text(f"include n{number + 1}.conf;\n" * 8)
    (folder / "n8.conf").write_text("events {}\n")
    main = folder / "nginx.conf"
    main.write_text(main.read_text() + "include n0.conf;\n")

    assert {finding.rule for finding in lint_file(main)} == {"nginx-include-not-read"}


def test_a_broken_included_file_is_refused_by_its_name(folder) -> None:
    (folder / "conf.d" / "b.conf").write_text("upstream x {\n")

    with pytest.raises(LintError, match=r"b\.conf"):
        lint_file(folder / "nginx.conf")


def test_a_text_has_no_folder_to_look_in() -> None:
    found = lint(NGINX_BASE + "include more.conf;\n")

    assert [finding.rule for finding in found] == ["nginx-include-not-read"]
