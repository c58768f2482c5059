"""Rules on connections, names, what clients can reach, and how HAProxy reloads and stops."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from kato_balancing import headers, kato
from kato_balancing.lint import sample_requests as sample
from kato_balancing.lint.amounts import haproxy_seconds, whole
from kato_balancing.lint.findings import Hit, Place, Severity
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.haproxy_tree import HaproxyTree, Section, Server
from kato_balancing.lint.haproxy_values import Transaction, backends_of, run
from kato_balancing.lint.rule import Program, Rule, changed
from kato_balancing.lint.versions import shown
from kato_balancing.targets import Version

_SERVERS: Final = "default-server maxconn 90 pool-purge-delay 1s resolvers dns init-addr none"
_BIND: Final = "    bind :8080\n"
_STATUS: Final = "    http-request return status 404 if { var(txn.path) -m beg /status }\n"
_DEFAULT_PURGE: Final = 5.0
_MOST_CONNECTIONS: Final = kato.CONNECTION_LIMIT - 1 - 8
_SERVER_SINCE: Final[dict[str, Version]] = {"guid": (3, 0, 0), "healthcheck": (3, 4, 0)}
_HASH_KEY_SINCE: Final[dict[str, Version]] = {
    "addr": (3, 0, 0), "addr-port": (3, 0, 0), "guid": (3, 4, 0), "id32": (3, 4, 0),
}  # fmt: skip
_LINE_SINCE: Final[dict[str, Version]] = {"hash-preserve-affinity": (3, 2, 0)}
_SECTION_SINCE: Final[dict[str, Version]] = {
    "crt-store": (3, 0, 0), "log-profile": (3, 1, 0), "healthcheck": (3, 4, 0),
    "traces": (3, 1, 0), "acme": (3, 2, 0),
}  # fmt: skip


def _is_name(server: Server) -> bool:
    host = server.host.strip("[]")
    if host.startswith(("unix@", "/", "$", "fd@", "abns@", "ipv4@", "ipv6@", "127.")):
        return False
    if host in ("", "localhost") or "$" in host:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _name_fixed(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        fixed = [server for server in backend.servers if _is_name(server)
                 and "resolvers" not in server.parameters]  # fmt: skip
        if fixed:
            names = ", ".join(dict.fromkeys(server.host for server in fixed))
            yield fixed[0].line.place, f"{names} is looked up once, when HAProxy starts"


def _dies(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        for server in backend.servers:
            if "resolvers" in server.parameters and _is_name(server) and not server.is_template:
                ways = server.parameters.get("init-addr", "last,libc").split(",")
                if "none" not in ways and not any(way[:1].isdigit() for way in ways):
                    yield server.line.place, f"HAProxy does not start while {server.host} is unknown"
                    break


def _outlives(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        reuse = backend.effective("http-reuse")
        closing = backend.option("httpclose") or backend.option("http-server-close")
        if (reuse is not None and reuse.words[1:2] == ("never",)) or closing:
            continue
        for server in backend.servers:
            text = server.parameters.get("pool-purge-delay")
            seconds = _DEFAULT_PURGE if text is None else haproxy_seconds(text)
            if server.parameters.get("pool-max-conn") == "0" or seconds is None:
                continue
            if seconds >= kato.KEEP_ALIVE_SECONDS:
                yield (
                    server.line.place,
                    f"idle connections are kept for {seconds:g} s or more"
                    + (", the default" if text is None else ""),
                )
                break


def _no_limit(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        for server in backend.servers:
            most = whole(server.parameters.get("maxconn"))
            if most is None and "maxconn" in server.parameters:
                continue
            if not most or most > _MOST_CONNECTIONS:
                what = f"maxconn {most}" if most else "no maxconn"
                yield server.line.place, f"server {server.name} has {what}"
                break


def _reload(tree: HaproxyTree) -> Iterator[Hit]:
    for section in tree.entrances:
        if section.option("idle-close-on-response") is None:
            yield section.place, f"a reload closes idle connections of {section.title} at once"


def _global(tree: HaproxyTree) -> Section:
    return tree.of("global")[0]


def _no_stop(tree: HaproxyTree) -> Iterator[Hit]:
    if not any(section.all("hard-stop-after") for section in tree.of("global")):
        yield _global(tree).place, "the old process stays for as long as a client does"


def _no_socket(tree: HaproxyTree) -> Iterator[Hit]:
    if not any(section.all("stats", "socket") for section in tree.of("global")):
        yield _global(tree).place, "no runtime socket: a server can't be drained"


def _socket_open(tree: HaproxyTree) -> Iterator[Hit]:
    for section in tree.of("global"):
        for line in section.all("stats", "socket"):
            address = line.words[2] if len(line.words) > 2 else ""
            public = address.startswith(("ipv4@", "ipv6@", ":", "*:", "0.0.0.0:")) and not (
                "@127." in address or "@[::1]" in address
            )
            mode = line.after("mode") or ""
            if public or (len(mode) >= 3 and mode[-1] not in "0"):
                yield line.place, f"the runtime socket {address} is open to others"


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


def _last_line(tree: HaproxyTree) -> Iterator[Hit]:
    text = tree.sources[tree.file]
    if not text.endswith("\n"):
        yield Place(tree.file, text.count("\n") + 1), "the last line has no newline"


def _too_new(tree: HaproxyTree) -> Iterator[Hit]:
    version = tree.version
    if version is None:
        return
    for place, word, since in _features(tree):
        if version < since:
            yield place, f"{word} needs HAProxy {shown(since)}, this is {shown(version)}"


def _features(tree: HaproxyTree) -> Iterator[tuple[Place, str, Version]]:
    for section in tree.sections:
        if section.kind in _SECTION_SINCE:
            yield section.place, section.kind, _SECTION_SINCE[section.kind]
        for line in section.lines:
            if line.words[0] in _LINE_SINCE:
                yield line.place, line.words[0], _LINE_SINCE[line.words[0]]
            if line.words[0] in ("server", "default-server", "server-template"):
                key = line.after("hash-key") or ""
                if key in _HASH_KEY_SINCE:
                    yield line.place, f"hash-key {key}", _HASH_KEY_SINCE[key]
                for word, since in _SERVER_SINCE.items():
                    if word in line.words[1:] and line.after("hash-key") != word:
                        yield line.place, word, since


RULES: Final[tuple[Rule[HaproxyTree], ...]] = (
    Rule(
        id="haproxy-server-name-fixed",
        title="A server's name is looked up only when HAProxy starts",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_name_fixed,
        cure="add a resolvers section and resolvers NAME init-addr none to default-server, or give "
        "addresses",
        why="HAProxy does not start while one name is unknown, and keeps the first address for "
        "ever: a replica that comes back with another one is never found.",
        breaks=changed(HAPROXY_BASE, " resolvers dns init-addr none", ""),
        holds=HAPROXY_BASE,
        flaws=(28,),
    ),
    Rule(
        id="haproxy-start-needs-dns",
        title="HAProxy does not start before every replica is known",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_dies,
        cure="write init-addr none, or init-addr libc,none",
        why="The default asks once and fails: one replica that is not there yet keeps HAProxy "
        "from starting.",
        breaks=changed(HAPROXY_BASE, " init-addr none", ""),
        holds=HAPROXY_BASE,
        flaws=(28,),
    ),
    Rule(
        id="haproxy-pool-outlives-kato",
        title="Idle connections outlive KATO's own limit",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_outlives,
        cure="write pool-purge-delay 1s or less at default-server: connections are closed by "
        "halves at each purge, so the last one stays for several",
        why="KATO closes a connection after 5 idle seconds, the default here too, and a POST on "
        "its way then fails.",
        breaks=changed(HAPROXY_BASE, " pool-purge-delay 1s", ""),
        holds=HAPROXY_BASE,
        flaws=(11,),
    ),
    Rule(
        id="haproxy-server-maxconn",
        title="KATO's connection limit can be passed",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_no_limit,
        cure=f"write maxconn at default-server, at most {_MOST_CONNECTIONS} with "
        f"KATO_LIMIT_CONCURRENCY={kato.CONNECTION_LIMIT}, and timeout queue 5s",
        why="Above its limit KATO answers 503 to everything, health checks too. With maxconn "
        "requests wait in HAProxy for the server that owns their session.",
        breaks=changed(HAPROXY_BASE, "maxconn 90 ", ""),
        holds=HAPROXY_BASE,
        flaws=(27,),
    ),
    Rule(
        id="haproxy-reload-cuts-clients",
        title="A reload cuts keep-alive clients",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_reload,
        cure="write option idle-close-on-response in defaults",
        why="With 32 keep-alive clients six reloads failed 53 requests on 2.6; with the option it "
        "was none.",
        breaks=changed(HAPROXY_BASE, "    option idle-close-on-response\n", ""),
        holds=HAPROXY_BASE,
    ),
    Rule(
        id="haproxy-no-hard-stop",
        title="The old process is never told to stop",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_no_stop,
        cure="write hard-stop-after 35s in global: KATO's 30 s of drain and a margin",
        why="After a reload an open WebSocket keeps the old process and its view of the servers, "
        "and a stop waits until the container is killed.",
        breaks=changed(HAPROXY_BASE, "    hard-stop-after 35s\n", ""),
        holds=HAPROXY_BASE,
        flaws=(27,),
        whole_file=True,
    ),
    Rule(
        id="haproxy-no-runtime-socket",
        title="Servers can't be drained",
        severity=Severity.INFO,
        program=Program.HAPROXY,
        check=_no_socket,
        cure="write stats socket /tmp/haproxy.sock mode 600 level admin in global",
        why="Drain, restart, ready through the runtime socket failed no request in 3 of 3 runs.",
        breaks=changed(HAPROXY_BASE, "    stats socket /tmp/haproxy.sock mode 600 level admin\n", ""),
        holds=HAPROXY_BASE,
        flaws=(27,),
        whole_file=True,
    ),
    Rule(
        id="haproxy-runtime-socket-open",
        title="Others can command HAProxy",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_socket_open,
        cure="use a file with mode 600 in the container",
        why="Whoever reaches the socket can stop servers and read what passes.",
        breaks=changed(HAPROXY_BASE, "/tmp/haproxy.sock mode 600", "ipv4@0.0.0.0:9999"),
        holds=HAPROXY_BASE,
    ),
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
        breaks=changed(HAPROXY_BASE, "    option redispatch 1\n",
                       "    option redispatch 1\n    option forwardfor\n"),
        holds=changed(HAPROXY_BASE, _BIND,
                      _BIND + "    http-request set-header X-Forwarded-For %[src]\n"),
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
        breaks=changed(HAPROXY_BASE, _STATUS,
                       _STATUS + "    http-request del-header X-Session-ID\n"),
        holds=HAPROXY_BASE,
        flaws=(7,),
    ),
    Rule(
        id="haproxy-no-final-newline",
        title="The last line has no newline",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_last_line,
        cure="end the file with a newline",
        why="HAProxy takes the line for a truncated one and does not start.",
        breaks=HAPROXY_BASE.removesuffix("\n"),
        holds=HAPROXY_BASE,
    ),
    Rule(
        id="haproxy-too-old-for-this",
        title="This version of HAProxy does not know the word",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_too_new,
        cure="use the version that is named, or an explicit id on every server, which all take",
        why="HAProxy does not start. Judged only when the version is known: --version, or a file "
        "that this project rendered.",
        breaks=changed(HAPROXY_BASE, "init-addr none", "init-addr none hash-key guid")
        .replace("id 1001", "guid kato-0").replace("id 1002", "guid kato-1"),
        holds=changed(HAPROXY_BASE, "init-addr none", "init-addr none hash-key guid")
        .replace("id 1001", "guid kato-0").replace("id 1002", "guid kato-1"),
        breaks_version=(3, 2, 0),
        holds_version=(3, 4, 0),
    ),
)  # fmt: skip
