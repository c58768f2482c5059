"""Rules on HAProxy's mode, its times, and what is tried again."""

from collections.abc import Iterator
from typing import Final

from kato_balancing.lint.amounts import haproxy_seconds, whole
from kato_balancing.lint.findings import Hit, Place, Severity
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.haproxy_tree import HaproxyTree, Section
from kato_balancing.lint.nginx_retries import CLIENT_TIMEOUT
from kato_balancing.lint.rule import Program, Rule, changed

_REDISPATCH: Final = "    option redispatch 1\n"
_LONGEST_CONNECT: Final = 3.0
_HTTP_WORDS: Final = ("http-request", "http-response", "http-check", "cookie", "stats")
_SAFE_RETRIES: Final = ("none", "conn-failure")


def _proxies(tree: HaproxyTree) -> list[Section]:
    return tree.of("frontend", "backend", "listen")


def _mode(tree: HaproxyTree) -> Iterator[Hit]:
    for section in _proxies(tree):
        mode = section.effective("mode")
        uses = [line for line in section.lines if line.words[0] in _HTTP_WORDS]
        if mode is not None and (mode.words[1:2] != ("tcp",) or not uses):
            continue
        if mode is None:
            yield section.place, f"{section.title} has no mode http, so it is mode tcp"
        else:
            yield uses[0].place, f"{uses[0].words[0]} is without effect in mode tcp"


def _seconds(section: Section, name: str) -> tuple[float | None, Place]:
    line = section.effective("timeout", name)
    if line is None or len(line.words) < 3:
        return None, section.place
    return haproxy_seconds(line.words[2]), line.place


def _no_timeouts(tree: HaproxyTree) -> Iterator[Hit]:
    wanted = {"frontend": ("client",), "backend": ("connect", "server"),
              "listen": ("client", "connect", "server")}  # fmt: skip
    for section in _proxies(tree):
        missing = [name for name in wanted[section.kind]
                   if section.effective("timeout", name) is None]  # fmt: skip
        if missing and (section.kind != "backend" or section.servers):
            yield section.place, f"{section.title} has no timeout {', '.join(missing)}"


def _no_guards(tree: HaproxyTree) -> Iterator[Hit]:
    wanted = {"frontend": ("http-request",), "backend": ("queue", "check", "tunnel"),
              "listen": ("http-request", "queue", "check", "tunnel")}  # fmt: skip
    for section in _proxies(tree):
        missing = [name for name in wanted[section.kind]
                   if section.effective("timeout", name) is None]  # fmt: skip
        if missing and (section.kind != "backend" or section.servers):
            yield section.place, f"{section.title} has no timeout {', '.join(missing)}"


def _each(tree: HaproxyTree, name: str, *kinds: str) -> Iterator[tuple[float, Place]]:
    seen: set[Place] = set()
    for section in tree.of(*kinds):
        seconds, place = _seconds(section, name)
        if seconds is not None and place not in seen:
            seen.add(place)
            yield seconds, place


def _server_short(tree: HaproxyTree) -> Iterator[Hit]:
    for seconds, place in _each(tree, "server", "backend", "listen"):
        if seconds < CLIENT_TIMEOUT:
            yield place, f"HAProxy waits {seconds:g} s for an answer"


def _client_short(tree: HaproxyTree) -> Iterator[Hit]:
    longest = max((s for s, _ in _each(tree, "server", "backend", "listen")), default=None)
    for seconds, place in _each(tree, "client", "frontend", "listen"):
        if longest is not None and seconds < longest:
            yield (
                place,
                f"timeout client {seconds:g} s ends before timeout server {longest:g} s",
            )


def _connect_long(tree: HaproxyTree) -> Iterator[Hit]:
    for seconds, place in _each(tree, "connect", "backend", "listen"):
        if seconds > _LONGEST_CONNECT:
            yield place, f"HAProxy tries to connect for {seconds:g} s"


def _no_redispatch(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        retries = backend.effective("retries")
        count = whole(retries.words[1]) if retries and len(retries.words) > 1 else 3
        several = len(backend.servers) > 1 or backend.servers[0].is_template
        if count and several and backend.option("redispatch") is None:
            yield (
                backend.place,
                f"{backend.title} retries at the server that failed, not at another",
            )


def _guarded(section: Section) -> bool:
    for line in section.all("http-request", "disable-l7-retry"):
        rest = " ".join(line.words[2:])
        negative = "unless" in line.words or "!" in rest
        by_method = "METH_GET" in rest or "method" in rest
        if not rest or (negative and by_method) or (not negative and "POST" in rest):
            return True
    return False


def _post_twice(tree: HaproxyTree) -> Iterator[Hit]:
    seen: set[Place] = set()
    guarded_entrance = any(_guarded(section) for section in tree.of("frontend"))
    for backend in tree.backends:
        line = backend.effective("retry-on")
        if line is None or line.place in seen:
            continue
        risky = [word for word in line.words[1:] if word not in _SAFE_RETRIES]
        if risky and not _guarded(backend) and not guarded_entrance:
            seen.add(line.place)
            yield line.place, f"a POST is sent again on {', '.join(risky)}"


RULES: Final[tuple[Rule[HaproxyTree], ...]] = (
    Rule(
        id="haproxy-no-mode-http",
        title="HAProxy does not speak HTTP here",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_mode,
        cure="write mode http in defaults, and check with haproxy -c -dW",
        why="The default is tcp: cookies, paths and headers are ignored, with a warning and exit "
        "code 0, on 2.6 and 3.4 alike.",
        breaks=changed(HAPROXY_BASE, "    mode http\n", ""),
        holds=HAPROXY_BASE,
        flaws=(20,),
    ),
    Rule(
        id="haproxy-no-timeouts",
        title="A hung server or client is waited for for ever",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_no_timeouts,
        cure="write timeout connect 1s, timeout client 305s and timeout server 300s in defaults",
        why="Connections of hung servers are never given back.",
        breaks=changed(HAPROXY_BASE, "    timeout connect 1s\n", ""),
        holds=HAPROXY_BASE,
        flaws=(21,),
    ),
    Rule(
        id="haproxy-no-guard-timeouts",
        title="Slow heads, queues, checks or tunnels have no limit of their own",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_no_guards,
        cure="write timeout http-request 10s, timeout queue 5s, timeout check 1s and timeout "
        "tunnel 1h in defaults",
        why="Otherwise slow clients hold connections, queued requests wait for timeout connect, "
        "a check for inter, and a quiet WebSocket is closed after timeout client.",
        breaks=changed(HAPROXY_BASE, "    timeout tunnel 1h\n", ""),
        holds=HAPROXY_BASE,
        flaws=(15, 21),
    ),
    Rule(
        id="haproxy-server-timeout-short",
        title="HAProxy gives up while KATO still works",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_server_short,
        cure="write timeout server 300s and timeout client 305s",
        why="observe-sequence runs for minutes and clients wait for 120 s. A client that gets 504 "
        "repeats a call that is still running: two writers on one session.",
        breaks=changed(HAPROXY_BASE, "timeout server 300s", "timeout server 30s"),
        holds=HAPROXY_BASE,
        flaws=(21,),
    ),
    Rule(
        id="haproxy-client-timeout-short",
        title="The client is cut before its server answers",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_client_short,
        cure="write timeout client longer than timeout server",
        why="HAProxy closes the client's side of a call that KATO still does; its result is lost "
        "and the client tries again.",
        breaks=changed(HAPROXY_BASE, "timeout client 305s", "timeout client 50s"),
        holds=HAPROXY_BASE,
        flaws=(21,),
    ),
    Rule(
        id="haproxy-connect-timeout-long",
        title="A server that does not answer is waited for",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_connect_long,
        cure="write timeout connect 1s (2s between sites)",
        why="On one network a connection takes milliseconds; every request of a lost server's "
        "sessions waits this long before another is tried.",
        breaks=changed(HAPROXY_BASE, "timeout connect 1s", "timeout connect 10s"),
        holds=HAPROXY_BASE,
        flaws=(13, 21),
    ),
    Rule(
        id="haproxy-no-redispatch",
        title="A failed request never goes to another server",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_no_redispatch,
        cure="write option redispatch 1",
        why="SIGKILL of one of three servers failed 39 to 42 requests, 64 took more than 1 s, and "
        "throughput fell by 41 %.",
        breaks=changed(HAPROXY_BASE, _REDISPATCH, ""),
        holds=HAPROXY_BASE,
        flaws=(22,),
    ),
    Rule(
        id="haproxy-post-sent-twice",
        title="A POST that was sent is repeated",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_post_twice,
        cure="add http-request disable-l7-retry unless METH_GET",
        why="KATO's observe is not idempotent: the first server may have learned already.",
        breaks=changed(
            HAPROXY_BASE, _REDISPATCH, _REDISPATCH + "    retry-on all-retryable-errors\n"
        ),
        holds=changed(
            changed(HAPROXY_BASE, _REDISPATCH, _REDISPATCH + "    retry-on conn-failure 503\n"),
            "    option httpchk\n",
            "    http-request disable-l7-retry unless METH_GET\n    option httpchk\n",
        ),
        flaws=(14,),
    ),
)
