"""The session key is found out by trying, not by its looks."""

import pytest

from kato_balancing.lint import lint
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.patterns import compiled
from kato_balancing.lint.rule import changed

PATTERN = r'"~^/sessions/(?!(?:count|test)(?:/|$))(?<id>[A-Za-z0-9_-]{1,128})(?:/|$)" $id;'
KEY = "nginx-session-key-"


def nginx_keys(pattern: str, source: str = "$uri") -> set[str]:
    text = changed(NGINX_BASE, f"map $uri $path_session {{\n        {PATTERN}",
                   f"map {source} $path_session {{\n        {pattern}")  # fmt: skip
    return {f.rule.removeprefix("nginx-session-key-") for f in lint(text) if "key" in f.rule}


@pytest.mark.parametrize(
    ("pattern", "source", "found"),
    [
        (PATTERN, "$uri", set()),
        (r'"~^/sessions/(?<s>session-[0-9a-f]{32}-[0-9]{1,16})(?:/|$)" $s;', "$uri", set()),
        (r'"~^/sessions/(?!count$|test/)(?<s>[\w-]+)(?:/|$)" $s;', "$document_uri", set()),
        (r'"~*^/Sessions/(?!count$|test/)([\w-]+)(/|$)" $1;', "$uri", set()),
        (r"~^/sessions/(?<s>[^/?#]+) $s;", "$request_uri", {"raw-path", "takes-reserved-words"}),
        (r"~^/sessions/(?<s>[^/]+) $s;", "$request_uri",
         {"keeps-query", "raw-path", "takes-reserved-words"}),
        (r"~^/sessions/(?<s>[^/]+) $s;", "$uri", {"takes-reserved-words", "loose"}),
        (r'"~^/(?<s>sessions)/" $s;', "$uri", {"nginx-hash-key-not-session"}),
        (r'"~^/nothing/(?<s>.+)$" $s;', "$uri", {"nginx-hash-key-not-session"}),
    ],
)  # fmt: skip
def test_an_nginx_map_is_run_on_the_forms_of_a_path(pattern, source, found) -> None:
    assert nginx_keys(pattern, source) == found


@pytest.mark.parametrize(
    "key", ["$sid_made_by_a_module", "$cookie_sid$sid_from_another_file", "$host"]
)
def test_nothing_is_said_about_a_key_that_is_not_in_the_file(key) -> None:
    text = changed(NGINX_BASE, "hash $session", f"hash {key}")

    assert [finding.rule for finding in lint(text)] == []


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(?:.*)*x", "(x|xx)*y", ".*.*.*.*x", "a" * 600, "(?<n"]
)
def test_a_pattern_that_could_run_for_long_is_not_run(pattern) -> None:
    assert compiled(pattern) is None


@pytest.mark.parametrize(
    "pattern", [r"^/a/(?<n>[^/]+)/", "/([.]/)+", r"^(?:a|b)(?:/|$)", "(?<=a)b"]
)
def test_a_plain_pattern_is_run(pattern) -> None:
    assert compiled(pattern) is not None


SET = "http-request set-var(txn.session) var(txn.path),field(3,/) if session_path"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (SET, set()),
        (SET.replace("if session_path", "if { var(txn.path) -m beg -i /SESSIONS/ }"), set()),
        (SET.replace("field(3,/)", "word(2,/)"), set()),
        (SET.replace("var(txn.path)", "path"), {"session-key-raw-path"}),
        (SET.replace("field(3,/)", "field(2,/)"), {"hash-key-not-session"}),
        (SET.replace("field(3,/)", "map(/etc/sessions.map)"), set()),
        (SET.replace("session_path", "unknown_condition"), set()),
    ],
)  # fmt: skip
def test_haproxy_lines_are_run_on_the_forms_of_a_path(line, found) -> None:
    text = changed(HAPROXY_BASE, SET, line)

    assert {f.rule.removeprefix("haproxy-") for f in lint(text)} == found


def test_a_pool_for_requests_without_a_session_needs_no_affinity() -> None:
    spread = "    upstream spread {\n        zone spread 1m;\n        least_conn;\n" + "".join(
        f"        server kato-{i}:8000 resolve max_fails=2 fail_timeout=5s;\n" for i in range(2)
    ) + "        keepalive 32;\n        keepalive_timeout 4s;\n    }\n"  # fmt: skip
    sound = changed(NGINX_BASE, "    server {\n", spread + "    map $session $pool { \"\" spread; "
                    "default kato; }\n    server {\n").replace(
        "location / {\n            proxy_pass http://kato;",
        "location / {\n            proxy_pass http://$pool;")  # fmt: skip
    flawed = sound.replace('"" spread; default kato;', '"" kato; default spread;')

    assert lint(sound) == []
    assert {finding.rule for finding in lint(flawed)} == {"nginx-no-session-affinity"}
