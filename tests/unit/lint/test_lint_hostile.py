"""Whatever a file holds, the answer is findings or a LintError with the file and the reason."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kato_balancing.lint import Finding, LintError, Program, lint, lint_file
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.reading import MOST_BYTES, decode

NGINX_WORDS = NGINX_BASE.replace(";", " ; ").replace("{", " { ").split(" ")
HAPROXY_WORDS = HAPROXY_BASE.split(" ")
PROGRAMS = st.sampled_from([None, *Program])
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def judge(text: str, program: Program | None) -> None:
    with contextlib.suppress(LintError):
        for finding in lint(text, program):
            assert isinstance(finding, Finding)


@QUICK
@given(text=st.text(max_size=300), program=PROGRAMS)
def test_any_text_is_judged_or_refused(text, program) -> None:
    judge(text, program)


@QUICK
@given(data=st.binary(max_size=300))
def test_any_bytes_are_judged_or_refused(data) -> None:
    with contextlib.suppress(LintError):
        judge(decode("some", data), None)


@QUICK
@given(words=st.lists(st.sampled_from(NGINX_WORDS), max_size=80))
def test_shuffled_nginx_words_are_judged_or_refused(words) -> None:
    judge(" ".join(words), Program.NGINX)


@QUICK
@given(words=st.lists(st.sampled_from(HAPROXY_WORDS), max_size=80))
def test_shuffled_haproxy_words_are_judged_or_refused(words) -> None:
    judge("backend kato\n" + " ".join(words), Program.HAPROXY)


@QUICK
@given(cut=st.integers(0, len(NGINX_BASE)), other=st.integers(0, len(HAPROXY_BASE)))
def test_files_that_were_cut_are_judged_or_refused(cut, other) -> None:
    judge(NGINX_BASE[:cut], Program.NGINX)
    judge(HAPROXY_BASE[:other], Program.HAPROXY)
    judge(HAPROXY_BASE[other:], Program.HAPROXY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("upstream a {", "expecting"),
        ("upstream a { } }", 'unexpected "}"'),
        ("upstream a { server b }", "not ended by ';'"),
        ("upstream a { server b; } server", "ends within 'server'"),
        ('upstream a { server "b; }', "expecting"),
        ("; { }", "without a name"),
        ("a { " * 60 + "}" * 60, "nested more than 50 deep"),
        ("a {" * 5000 + "}" * 5000, "nested more than 50 deep"),
        ("hello world", "say which with --for"),
        ("upstream a { server \x00; }", "control characters"),
        ("x" * (MOST_BYTES + 1), "is not judged"),
        ("backend a\n  server 'x", "is not closed"),
    ],
)
def test_a_file_without_structure_is_refused_with_the_reason(text, reason) -> None:
    with pytest.raises(LintError) as refused:
        lint(text, file="my.file")

    assert reason in str(refused.value)
    assert str(refused.value).startswith(refused.value.file)


def test_a_haproxy_line_before_any_section_is_refused() -> None:
    with pytest.raises(LintError, match=r"x:1: 'server' stands before any section"):
        lint("server a b\n", Program.HAPROXY, file="x")


LARGE = {
    "upstreams": "http {"
    + "upstream a { hash $x consistent; server b:1; server c:1; }\n" * 1000
    + "}",
    "ways": "server { location / {" + "proxy_pass http://a;\n" * 4000 + "} }",
    "patterns": "map $a $b {"
    + '"~^(a|b)(c|d)$" 1;\n' * 4000
    + "} upstream u { hash $b; server x; }",
    # Each variable is twice the one before it.
    "doubling": "".join(
        f"map $v{i} $v{i + 1} {{ a $v{i}; default $v{i}$v{i}; }}\n" for i in range(500)
    )
    + "server { location / { proxy_pass http://$v500; } } upstream u { hash $v500; }",
    # A quadratic number of comparisons.
    "conditions": "frontend f\n" + "  acl a path /x\n" * 4000 + "  http-request deny if a\n" * 4000,
    "backends": "".join(
        f"frontend f{i}\n  default_backend b{i}\nbackend b{i}\n  balance hash path\n"
        f"  server s{i} h{i}:1\n"
        for i in range(500)
    ),
    "words": "backend b\n" + "  server s 1.2.3.4:1 check weight 1\n" * 4000,
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_file_comes_to_an_end(name) -> None:
    judge(LARGE[name], None)


@pytest.mark.parametrize(
    "text", ["a" * 900_000 + ";", "backend b\n  balance hash " + "," * 900_000]
)
def test_a_line_that_no_server_takes_is_refused(text) -> None:
    with pytest.raises(LintError, match="no server takes it"):
        lint(text)


def test_files_that_are_none_are_refused(tmp_path) -> None:
    (tmp_path / "folder.conf").mkdir()
    (tmp_path / "binary.conf").write_bytes(b"\x7fELF\x02\x01\x01\x00\xff\xfe")
    (tmp_path / "latin.conf").write_bytes("# Zürich\nupstream a {}".encode("latin-1"))
    with (tmp_path / "large.conf").open("wb") as file:
        file.truncate(100_000_000)
    (tmp_path / "loop.conf").symlink_to("loop.conf")

    for name, reason in {
        "folder.conf": "is a folder",
        "binary.conf": "is not UTF-8",
        "latin.conf": "is not UTF-8",
        "large.conf": "100,000,000 bytes",
        "loop.conf": "can't be read",
        "missing.conf": "can't be read",
    }.items():
        with pytest.raises(LintError, match=reason):
            lint_file(tmp_path / name)
    with pytest.raises(LintError, match="not a regular file"):
        lint_file("/dev/zero")


def test_a_byte_order_mark_is_no_obstacle(tmp_path) -> None:
    file = tmp_path / "nginx.conf"
    file.write_bytes(b"\xef\xbb\xbf" + NGINX_BASE.encode())

    assert lint_file(file) == []
