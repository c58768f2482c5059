"""Rules that follow from lint on the configurations that a stack carries."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ..balancers import Configuration, configurations
from ..findings import Broken, Hit, each, masked
from ..relations import Stack
from ..resources import Resource
from ..rule import Knobs, ResourceCheck

AFFINITY: Final = (
    "nginx-no-session-affinity", "nginx-ip-hash", "nginx-hash-by-client-address",
    "nginx-sticky-outside-upstream", "nginx-two-methods", "nginx-method-after-servers",
    "haproxy-no-session-affinity", "haproxy-hash-by-client-address", "haproxy-no-mode-http",
    "haproxy-bounded-load", "haproxy-hash-type-unused", "haproxy-table-without-hash",
)  # fmt: skip
KEY: Final = (
    "nginx-hash-key-not-session", "nginx-session-key-keeps-query", "nginx-session-key-raw-path",
    "nginx-session-key-takes-reserved-words", "nginx-session-key-loose",
    "nginx-session-header-not-hashed", "nginx-session-key-misses-prefix",
    "nginx-hash-not-consistent", "nginx-hash-over-one-name", "nginx-session-header-overwritten",
    "nginx-ring-weight-one", "nginx-learned-on-any-path", "nginx-below-security-floor",
    "haproxy-hash-key-not-session", "haproxy-session-key-keeps-query",
    "haproxy-session-key-raw-path", "haproxy-session-key-takes-reserved-words",
    "haproxy-session-header-not-hashed", "haproxy-session-header-overwritten",
    "haproxy-hash-not-consistent", "haproxy-no-server-id", "haproxy-ring-weight-small",
)  # fmt: skip
TTL: Final = (
    "nginx-sticky-cookie-expires-early", "nginx-learned-timeout-short",
    "haproxy-cookie-expires-early", "haproxy-table-expires-early", "haproxy-table-lost-at-reload",
)  # fmt: skip
COOKIE: Final = (
    "nginx-sticky-cookie-flags", "nginx-sticky-cookie-domain", "nginx-sticky-cookie-shows-address",
    "haproxy-cookie-flags", "haproxy-cookie-domain", "haproxy-cookie-incomplete",
    "haproxy-cookie-twice", "haproxy-cookie-shows-address",
)  # fmt: skip
HEALTH: Final = (
    "nginx-failures-ignored", "haproxy-no-check", "haproxy-check-tcp-only",
    "haproxy-httpchk-unused", "haproxy-check-method-refused", "haproxy-check-path-unknown",
    "haproxy-check-old-syntax",
)  # fmt: skip
ZONE: Final = ("nginx-no-zone", "nginx-resolve-incomplete")
EXPECTATION: Final = ("haproxy-check-reads-body",)
ROLLOUT: Final = ("nginx-weights-unequal", "haproxy-weights-unequal")
TIMEOUTS: Final = (
    "nginx-read-timeout-short", "nginx-connect-timeout-long", "nginx-retry-window",
    "nginx-resolver-slow", "nginx-websocket-timeout-short", "nginx-websocket-missing",
    "haproxy-no-timeouts", "haproxy-no-guard-timeouts", "haproxy-server-timeout-short",
    "haproxy-client-timeout-short", "haproxy-connect-timeout-long", "haproxy-check-slow",
    "haproxy-check-timeout-above-inter",
)  # fmt: skip
KEEP_ALIVE: Final = (
    "nginx-keepalive-missing", "nginx-keepalive-outlives-kato", "nginx-keepalive-inert",
    "haproxy-pool-outlives-kato",
)  # fmt: skip
BACKUP: Final = (
    "nginx-single-server", "nginx-all-servers-down", "nginx-server-twice",
    "nginx-backup-with-hash", "nginx-server-name-fixed", "haproxy-server-name-fixed",
    "haproxy-start-needs-dns",
)  # fmt: skip
BREAKER: Final = (
    "nginx-retries-unbounded", "nginx-one-failure-ejects", "nginx-aside-for-long",
    "nginx-connections-above-kato", "nginx-retry-on-503", "haproxy-no-redispatch",
    "haproxy-server-maxconn",
)  # fmt: skip
REPEATS: Final = (
    "nginx-post-sent-twice", "nginx-fallback-repeats-post", "haproxy-post-sent-twice",
    "haproxy-marked-down-cuts-calls",
)  # fmt: skip
SHUTDOWN: Final = (
    "nginx-no-shutdown-timeout", "nginx-shutdown-timeout-short", "nginx-reload-cuts-clients",
    "haproxy-no-hard-stop", "haproxy-hard-stop-early", "haproxy-reload-cuts-clients",
    "haproxy-no-runtime-socket",
)  # fmt: skip
EDGE: Final = (
    "nginx-version-shown", "nginx-status-open", "nginx-forwarded-for-trusted",
    "nginx-host-header-lost", "nginx-body-size-small", "nginx-include-not-read",
    "nginx-plus-only", "nginx-too-old-for-this", "nginx-plain-http",
    "haproxy-status-open", "haproxy-stats-public", "haproxy-runtime-socket-open",
    "haproxy-forwarded-for-trusted", "haproxy-no-final-newline", "haproxy-too-old-for-this",
    "haproxy-plain-http",
)  # fmt: skip

NEVER_ALLOWED: Final = frozenset({*AFFINITY, *KEY, *REPEATS})
"""Lost updates are no matter of taste: a comment in the file does not silence these. Whoever means
it says so in the settings of the policies."""

GROUPS: Final = (
    AFFINITY, KEY, TTL, COOKIE, HEALTH, ZONE, EXPECTATION, ROLLOUT, TIMEOUTS, KEEP_ALIVE, BACKUP,
    BREAKER, REPEATS, SHUTDOWN, EDGE,
)  # fmt: skip
"""Every rule of lint is in exactly one group."""

ConfigurationCheck = Callable[[Configuration], Iterable[Hit]]


def of_kato(
    found: Iterable[Configuration], knobs: Knobs, check: ConfigurationCheck
) -> Iterator[Hit]:
    """The check's hits on the configurations that serve KATO."""

    def one(configuration: Configuration) -> Iterator[Hit]:
        if configuration.serves_kato(knobs.balancers, knobs.kato):
            yield from check(configuration)

    yield from each(found, one)


def linted(ids: tuple[str, ...]) -> ConfigurationCheck:
    """The findings of these rules of lint."""

    def check(configuration: Configuration) -> Iterator[Hit]:
        text = configuration.read
        found = text.findings_regardless if NEVER_ALLOWED.issuperset(ids) else text.findings
        for finding in found:
            if finding.rule in ids:
                yield at_line(
                    configuration,
                    finding.place.line,
                    f"{masked(finding.message)} ({finding.rule})",
                    finding.cure,
                )

    return check


def at_line(configuration: Configuration, line: int, seen: str, cure: str = "") -> Broken:
    """A finding in a line of a configuration."""
    place = configuration.place
    return Broken(place.urn, place.path, f"line {line}: {seen}", cure)


def resource_check(ids: tuple[str, ...], *more: ConfigurationCheck) -> ResourceCheck:
    """A resource rule made of these rules of lint and of further checks."""

    def check(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
        for one in (linted(ids), *more):
            yield from of_kato(configurations(resource), knobs, one)

    return check


def in_stack(stack: Stack, knobs: Knobs, *checks: ConfigurationCheck) -> Iterator[Hit]:
    """The checks on every configuration of the stack that serves KATO."""
    for check in checks:
        yield from of_kato(stack.configurations, knobs, check)
