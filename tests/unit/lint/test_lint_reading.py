"""Kinds of files, versions, inheritance, and comments that allow."""

import pytest

from kato_balancing.lint import Program, lint
from kato_balancing.lint.amounts import haproxy_seconds, nginx_seconds, size_bytes
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.haproxy_tree import HaproxyTree, parse, split
from kato_balancing.lint.kinds import kind_of
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.rule import changed


@pytest.mark.parametrize("name", ["a.conf", "a.cfg", "a", "a.txt"])
def test_the_kind_is_told_from_the_text(name) -> None:
    assert kind_of(name, NGINX_BASE) is Program.NGINX
    assert kind_of(name, HAPROXY_BASE) is Program.HAPROXY
    assert kind_of(name, "# comment\n\nbackend x\n  http-request deny if { path /a }") == "haproxy"


def test_the_kind_can_be_stated() -> None:
    assert [f.rule for f in lint("backend b\n  server a 1.2.3.4:80", Program.HAPROXY)]


def test_a_version_narrows_what_applies() -> None:
    bare = changed(NGINX_BASE, "    keepalive_min_timeout 10s;\n", "").replace(
        "8000 resolve", "8000"
    )
    fixed = bare.replace("kato-0", "10.0.0.1").replace("kato-1", "10.0.0.2")

    assert {f.rule for f in lint(fixed)} == {"nginx-reload-cuts-clients"}
    assert {f.rule for f in lint("# KATO behind nginx 1.22. Rendered\n" + fixed)} == set()
    assert {f.rule for f in lint(fixed, version=(1, 22, 0))} == {"nginx-below-security-floor"}


def test_a_branch_stands_for_its_newest_patch() -> None:
    assert lint(NGINX_BASE, version=(1, 30, 0)) == []
    assert [f.rule for f in lint(NGINX_BASE, version=(1, 30, 1))] == ["nginx-below-security-floor"]
    assert "nginx-too-old-for-this" in {f.rule for f in lint(NGINX_BASE, version=(1, 26, 0))}


@pytest.mark.parametrize(
    "comment",
    [
        "hash $remote_addr consistent; # kato-lb lint: allow nginx-hash-by-client-address",
        "# kato-lb lint: allow nginx-hash-by-client-address\n hash $remote_addr consistent;",
        "# kato-lb lint: allow nginx-ip-hash, nginx-hash-by-client-address\n"
        "# clients have one session each\n hash $remote_addr consistent;",
    ],
)
def test_a_comment_allows_a_rule_to_be_broken_there(comment) -> None:
    assert lint(changed(NGINX_BASE, "hash $session consistent;", comment)) == []


def test_a_comment_allows_only_what_it_names_and_where_it_stands() -> None:
    text = changed(NGINX_BASE, "hash $session consistent;", "hash $remote_addr consistent;")

    for comment in ("# kato-lb lint: allow nginx-ip-hash\n",
                    "# kato-lb lint: allow nginx-hash-by-client-address\n"):  # fmt: skip
        assert len(lint(comment + text)) == 1


def test_haproxy_words_are_read_as_haproxy_reads_them() -> None:
    assert split("f", 1, r"""a "b c" 'd "e' f\ g "h\"i" # j""") == [
        "a", "b c", 'd "e', "f g", 'h"i',
    ]  # fmt: skip
    assert split("f", 1, 'log "$ADDRESS:514" local0') == ["log", "$ADDRESS:514", "local0"]
    assert split("f", 1, "''") == [""]


def test_a_proxy_inherits_from_the_defaults_above_or_from_those_it_names() -> None:
    sections = parse(
        "f",
        "defaults one\n  mode http\n  option redispatch\n  default-server check weight 5\n"
        "backend a\n  server x 1.1.1.1:1 weight 7\n"
        "defaults two from one\n  no option redispatch\n"
        "backend b\n  server x 1.1.1.1:1 no-check\n"
        "backend c from one\n  server x 1.1.1.1:1\n",
    )
    a, b, c = HaproxyTree(sections, {"f": ""}).backends

    assert a.servers[0].parameters == {"check": "", "weight": "7"}
    assert "check" not in b.servers[0].parameters
    assert b.effective("mode").words == ("mode", "http")
    assert b.option("redispatch") is None
    assert c.option("redispatch") is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4", 4), ("4s", 4), ("500ms", 0.5), ("1h30m", 5400), ("1m 30s", 90), ("2M", 5184000),
     ("$a", None), ("", None), ("4x", None)],
)  # fmt: skip
def test_nginx_times(text, seconds) -> None:
    assert nginx_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4", 0.004), ("4s", 4), ("500ms", 0.5), ("1h", 3600), ("1d", 86400), ("x", None)],
)
def test_haproxy_times(text, seconds) -> None:
    assert haproxy_seconds(text) == seconds


def test_sizes() -> None:
    assert size_bytes("100m") == 100 * 1024**2
    assert size_bytes("1K") == 1024
    assert size_bytes("0") == 0
    assert size_bytes("$a") is None
