"""Which session a path belongs to, and which paths are private: the rendered expressions."""

import re

import pytest
from nginx_tree import Node, read
from sample_balancers import make_balancer

from kato_balancing import nginx


def _map(target: str) -> Node:
    http = read(nginx.render(make_balancer(), (1, 30, 4))).one("http")
    [found] = [node for node in http.all("map") if node.arguments[1] == target]
    return found


def _expression(target: str) -> re.Pattern[str]:
    [entry] = [node for node in _map(target).block or () if node.name.startswith("~")]
    return re.compile(re.sub(r"\(\?<(\w+)>", r"(?P<\1>", entry.name[1:]))


def _session(path: str) -> str:
    found = _expression("$kato_session_path").search(path)
    return found[1] if found else ""


UUID_FORM = "session-4f0c2d9e_A1"


@pytest.mark.parametrize(
    ("path", "session"),
    [
        (f"/sessions/{UUID_FORM}", UUID_FORM),
        (f"/sessions/{UUID_FORM}/", UUID_FORM),
        (f"/sessions/{UUID_FORM}/stm", UUID_FORM),
        (f"/sessions/{UUID_FORM}/observe-sequence", UUID_FORM),
        ("/sessions/counter-1/stm", "counter-1"),
        ("/sessions/tests", "tests"),
        ("/sessions/testing/stm", "testing"),
        (f"/sessions/{'a' * 128}", "a" * 128),
        (f"/sessions/{'a' * 128}/stm", "a" * 128),
        (f"/sessions/{'a' * 129}", ""),
        (f"/sessions/{'a' * 129}/stm", ""),
        ("/sessions", ""),
        ("/sessions/", ""),
        ("/sessions/count", ""),
        ("/sessions/count/", ""),
        ("/sessions/count/x", ""),
        ("/sessions/test", ""),
        ("/sessions/test/x", ""),
        ("/sessions/a b/stm", ""),
        ("/sessions/a.b/stm", ""),
        (f"/api/sessions/{UUID_FORM}", ""),
        (f"/session/{UUID_FORM}", ""),
        (f"/sessionsx/{UUID_FORM}", ""),
        ("/health", ""),
        ("/", ""),
    ],
)
def test_the_session_is_the_segment_after_sessions(path: str, session: str) -> None:
    assert _session(path) == session


def test_the_part_of_the_path_that_is_found_is_the_session() -> None:
    [(name, _)] = _expression("$kato_session_path").groupindex.items()
    [entry] = [n for n in _map("$kato_session_path").block or () if n.name.startswith("~")]

    assert entry.arguments == (f"${name}",)


def test_the_path_is_read_decoded_and_without_its_query() -> None:
    assert _map("$kato_session_path").arguments[0] == "$uri"


def test_a_path_without_a_session_falls_back_to_the_header() -> None:
    entries = [node.words for node in _map("$kato_session").block or ()]

    assert entries == [" $http_x_session_id", "default $kato_session_path"]


@pytest.mark.parametrize(
    ("path", "private"),
    [
        ("/status", True),
        ("/status/", True),
        ("/cache/invalidate", True),
        ("/openapi.json", True),
        ("/metrics", True),
        ("/metrics-prom", True),
        ("/statusx", False),
        ("/openapiXjson", False),
        ("/sessions/status", False),
        ("/sessions/x/metrics", False),
        ("/health", False),
    ],
)
def test_private_paths_are_hidden_with_what_is_below_them(path: str, private: bool) -> None:
    assert bool(_expression("$kato_private").search(path)) is private


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("kato.example:8080", True),
        ("[2001:db8::1]:8080", True),
        ("a" * 255, True),
        ("a" * 256, False),
        ("a b", False),
        ("a/b", False),
        ('a"b', False),
        ("", False),
    ],
)
def test_the_clients_host_is_kept_only_in_a_hosts_form(host: str, kept: bool) -> None:
    assert bool(_expression("$kato_host").search(host)) is kept
