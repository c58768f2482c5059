"""Small files as people write them, each with the findings that it must have."""

from pathlib import Path

import pytest

from kato_balancing.lint import lint_file

FIXTURES = Path(__file__).with_name("fixtures")
UPSTREAM = {"nginx-keepalive-missing", "nginx-server-name-fixed"}
NO_ZONE = {"nginx-no-zone", "nginx-one-failure-ejects"}
SERVER = {
    "nginx-plain-http",
    "nginx-body-size-small",
    "nginx-status-open",
    "nginx-websocket-missing",
    "nginx-connect-timeout-long",
    "nginx-read-timeout-short",
    "nginx-retries-unbounded",
}
BACKEND = {
    "haproxy-no-mode-http",
    "haproxy-no-timeouts",
    "haproxy-no-guard-timeouts",
    "haproxy-no-redispatch",
    "haproxy-pool-outlives-kato",
    "haproxy-server-maxconn",
    "haproxy-server-name-fixed",
}

EXPECTED = {
    "round-robin.conf": UPSTREAM
    | NO_ZONE
    | SERVER
    | {"nginx-no-session-affinity", "nginx-forwarded-for-trusted"},
    "least-connections.conf": UPSTREAM | NO_ZONE | {"nginx-no-session-affinity"},
    "ip-hash.conf": UPSTREAM | NO_ZONE | {"nginx-ip-hash"},
    "weighted.conf": UPSTREAM | NO_ZONE | {"nginx-no-session-affinity", "nginx-weights-unequal"},
    "session-hash.conf": UPSTREAM
    | NO_ZONE
    | SERVER
    | {
        "nginx-session-key-keeps-query",
        "nginx-session-key-raw-path",
        "nginx-session-key-takes-reserved-words",
        "nginx-session-header-not-hashed",
        "nginx-session-header-overwritten",
        "nginx-host-header-lost",
        "nginx-ring-weight-one",
    },
    "sticky-cookie.conf": UPSTREAM
    | NO_ZONE
    | SERVER
    | {
        "nginx-no-session-affinity",
        "nginx-host-header-lost",
        "nginx-sticky-outside-upstream",
        "nginx-sticky-cookie-flags",
        "nginx-sticky-cookie-domain",
        "nginx-sticky-cookie-shows-address",
    },
    "passive-checks.conf": UPSTREAM
    | {"nginx-no-zone", "nginx-aside-for-long", "nginx-no-session-affinity"},
    "active-checks.conf": UPSTREAM
    | SERVER
    | {
        "nginx-one-failure-ejects",
        "nginx-no-session-affinity",
        "nginx-host-header-lost",
        "nginx-plus-only",
    },
    "backup.conf": UPSTREAM | NO_ZONE | {"nginx-no-session-affinity"},
    "sticky-cookie.cfg": BACKEND
    | {
        "haproxy-plain-http",
        "haproxy-reload-cuts-clients",
        "haproxy-status-open",
        "haproxy-cookie-flags",
        "haproxy-check-tcp-only",
    },
    "health-checks.cfg": BACKEND
    | {"haproxy-no-session-affinity", "haproxy-check-old-syntax", "haproxy-check-slow"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_flawed_file_has_exactly_these_findings(name: str) -> None:
    found = lint_file(FIXTURES / "flawed" / name)

    assert {finding.rule for finding in found} == EXPECTED[name]


def test_every_flawed_file_has_its_expectation() -> None:
    assert {file.name for file in (FIXTURES / "flawed").iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("file", sorted((FIXTURES / "sound").iterdir()), ids=lambda file: file.name)
def test_a_sound_file_has_none(file: Path) -> None:
    assert lint_file(file) == []
