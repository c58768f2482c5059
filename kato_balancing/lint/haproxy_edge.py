"""Rules on what clients can reach through HAProxy, and on the headers that go to KATO."""

from collections.abc import Iterator
from typing import Final

from kato_balancing import headers
from kato_balancing.lint import sample_requests as sample
from kato_balancing.lint.findings import Hit, Place, Severity
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.haproxy_tree import HaproxyTree
from kato_balancing.lint.haproxy_values import Transaction, backends_of, run
from kato_balancing.lint.rule import Program, Rule, changed

_BIND: Final = "    bind :8080\n"
_STATUS: Final = "    http-request return status 404 if { var(txn.path) -m beg /status }\n"


def _plain(tree: HaproxyTree) -> Iterator[Hit]:
    lines = [line for section in tree.entrances for line in section.all("bind")]
    if any("ssl" in line.words for line in lines):
        return
    for line in lines:
        if len(line.words) > 1 and line.words[1].endswith(":80"):
            yield line.place, "clients come in unencrypted on port 80"


def _stats_public(tree: HaproxyTree) -> Iterator[Hit]:
    for section in tree.entrances:
        passes = section.effective("default_backend") or section.all("use_backend")
        if not passes and not section.servers:
            continue
        for line in section.lines:
            metrics = line.words[0] == "http-request" and "prometheus-exporter" in line.words
            if metrics or line.starts("stats", "enable") or line.starts("stats", "uri"):
                yield line.place, f"figures of HAProxy are on {section.title}, which clients reach"
                break


def _status_open(tree: HaproxyTree) -> Iterator[Hit]:
    for section in tree.entrances:
        transaction = Transaction(sample.STATUS)
        run(section, transaction)
        if transaction.answered is not False:
            continue
        for backend in backends_of(tree, section, transaction):
            before = transaction.answered
            if backend is not section:
                run(backend, transaction)
            if backend.servers and before is False and transaction.answered is False:
                yield section.place, f"{section.title} passes {sample.STATUS.target} on to KATO"
                break


def _forwarded(tree: HaproxyTree) -> Iterator[Hit]:
    seen: set[Place] = set()
    cleaned = any(
        len(line.words) > 2
        and line.words[1] in ("del-header", "set-header")
        and line.words[2].lower() == "x-forwarded-for"
        for section in tree.of("frontend", "listen", "backend")
        for line in section.all("http-request")
    )
    for section in tree.of("frontend", "listen", "backend"):
        line = section.option("forwardfor")
        if line is not None and not cleaned and line.place not in seen:
            seen.add(line.place)
            yield line.place, "the client's own X-Forwarded-For is passed on beside the true one"


def _session_overwritten(tree: HaproxyTree) -> Iterator[Hit]:
    for section in tree.of("frontend", "listen", "backend", "defaults"):
        for line in section.all("http-request"):
            acts = line.words[1:2] in (("set-header",), ("del-header",), ("replace-header",))
            named = len(line.words) > 2 and line.words[2].lower() == headers.SESSION_HEADER.lower()
            if acts and named:
                yield line.place, f"the client's {headers.SESSION_HEADER} is changed or removed"


RULES: Final[tuple[Rule[HaproxyTree], ...]] = (
    Rule(
        id="haproxy-plain-http",
        title="Port 80 without TLS",
        severity=Severity.INFO,
        program=Program.HAPROXY,
        check=_plain,
        cure="bind :443 ssl crt FILE at the edge, or :8080 behind a proxy that has TLS",
        why="Session ids and data travel in the clear; unprivileged images can't bind port 80.",
        breaks=changed(HAPROXY_BASE, "bind :8080", "bind *:80"),
        holds=HAPROXY_BASE,
        flaws=(27,),
    ),
    Rule(
        id="haproxy-stats-public",
        title="Clients can read HAProxy's figures",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_stats_public,
        cure="put stats and prometheus-exporter into a frontend of their own on a private port",
        why="They name every server, its address and its load.",
        breaks=changed(HAPROXY_BASE, _BIND, _BIND + "    stats enable\n"),
        holds=HAPROXY_BASE,
        flaws=(27,),
    ),
    Rule(
        id="haproxy-status-open",
        title="Clients can read /status",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_status_open,
        cure="add http-request return status 404 if { path,url_dec -m beg /status }; better hide "
        "/docs, /openapi.json, /metrics and /cache too",
        why="KATO has no authentication, and its /status shows the Redis URL with its password.",
        breaks=changed(HAPROXY_BASE, _STATUS, ""),
        holds=HAPROXY_BASE,
    ),
    Rule(
        id="haproxy-forwarded-for-trusted",
        title="The client's X-Forwarded-For is believed",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_forwarded,
        cure="write http-request set-header X-Forwarded-For %[src] instead of option forwardfor",
        why="option forwardfor adds a header and keeps the client's: whoever reads the first one "
        "reads what the client made up.",
        breaks=changed(
            HAPROXY_BASE,
            "    option redispatch 1\n",
            "    option redispatch 1\n    option forwardfor\n",
        ),
        holds=changed(
            HAPROXY_BASE, _BIND, _BIND + "    http-request set-header X-Forwarded-For %[src]\n"
        ),
        flaws=(16,),
    ),
    Rule(
        id="haproxy-session-header-overwritten",
        title="The client's X-Session-ID is overwritten",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_session_overwritten,
        cure="remove this line; HAProxy passes the client's header on by itself",
        why="KATO finds a request's session by this header where the path has none.",
        breaks=changed(
            HAPROXY_BASE, _STATUS, _STATUS + "    http-request del-header X-Session-ID\n"
        ),
        holds=HAPROXY_BASE,
        flaws=(7,),
    ),
)
