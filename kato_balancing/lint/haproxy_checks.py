"""Rules on HAProxy's health checks."""

from collections.abc import Iterator
from typing import Final

from kato_balancing.lint.amounts import haproxy_seconds, whole
from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.haproxy_tree import HaproxyTree, Line, Section, Server
from kato_balancing.lint.rule import Program, Rule, changed

_CHECK: Final = "check inter 1s fastinter 200ms rise 2 fall 2"
_SEND: Final = "    http-check send meth GET uri /health ver HTTP/1.1 hdr Host kato\n"
_PROBE: Final = "    option httpchk\n" + _SEND
_SLOWEST: Final = 6.0
_UNKNOWN_PATHS: Final = ("/ready", "/readyz", "/livez", "/healthz", "/health/ready",
                         "/health/live", "/ping", "/actuator/health")  # fmt: skip
_DEFAULT_INTER: Final = 2.0
_CURE: Final = (
    "write option httpchk and http-check send meth GET uri /health ver HTTP/1.1 hdr Host kato"
)


def _probed(tree: HaproxyTree) -> Iterator[Section]:
    return (b for b in tree.backends if any(server.checked for server in b.servers))


def _sends(section: Section) -> list[Line]:
    found = section.all("http-check", "send")
    return found if found or section.defaults is None else _sends(section.defaults)


def _expects(section: Section) -> list[Line]:
    found = section.all("http-check", "expect")
    return found if found or section.defaults is None else _expects(section.defaults)


def _is_last_resort(tree: HaproxyTree, backend: Section) -> bool:
    """Nobody comes here but while another backend has no server left."""
    uses = [line for section in tree.sections for line in section.all("use_backend", backend.name)]
    defaults = [
        line for section in tree.sections for line in section.all("default_backend", backend.name)
    ]
    return bool(uses) and not defaults and all(map(_when_none_is_left, uses))


def _when_none_is_left(line: Line) -> bool:
    words = line.words
    return (
        words[2:3] == ("if",)
        and any(
            word.startswith("nbsrv(") and words[at + 1 : at + 3] == ("eq", "0")
            for at, word in enumerate(words)
        )
        and not {"or", "||"} & {*words}
    )


def _no_check(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        if _is_last_resort(tree, backend):
            continue
        for server in backend.servers:
            if not server.checked and "track" not in server.parameters:
                yield server.line.place, f"server {server.name} is never probed"
                break


def _tcp_only(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in _probed(tree):
        named = any("healthcheck" in server.parameters for server in backend.servers)
        if backend.option("httpchk") is None and not named:
            first = next(server for server in backend.servers if server.checked)
            yield first.line.place, f"{backend.title} only probes whether a connection opens"


def _unused(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        line = backend.option("httpchk")
        if (
            line is not None
            and not any(server.checked for server in backend.servers)
            and not any("track" in server.parameters for server in backend.servers)
        ):
            yield line.place, f"httpchk without check on any server of {backend.title}"


def _request(backend: Section) -> tuple[Line, str, str] | None:
    """The probe's line, method and path; None without an HTTP probe."""
    line = backend.option("httpchk")
    if line is None:
        return None
    words = line.words[2:]
    method = words[0] if len(words) > 1 else "OPTIONS"
    path = words[1] if len(words) > 1 else words[0] if words else "/"
    for send in _sends(backend):
        method = send.after("meth") or method
        path = send.after("uri") or path
        line = send
    return line, method, path


def _refused(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in _probed(tree):
        found = _request(backend)
        if found is not None and found[1].upper() != "GET":
            yield found[0].place, f"the probe is {found[1]}, which KATO answers with 405"


def _unknown_path(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in _probed(tree):
        found = _request(backend)
        if found is not None and found[2].partition("?")[0].rstrip("/") in _UNKNOWN_PATHS:
            yield found[0].place, f"KATO has no {found[2]}"


def _old_syntax(tree: HaproxyTree) -> Iterator[Hit]:
    seen = set()
    for backend in _probed(tree):
        line = backend.option("httpchk")
        hosted = any("host" in [w.lower() for w in send.words] for send in _sends(backend))
        if (
            line is not None
            and len(line.words) > 2
            and not hosted
            and line not in seen
            and "host:" not in " ".join(line.words).lower()
        ):
            seen.add(line)
            yield line.place, "the probe is HTTP/1.0 without Host"


def _body(tree: HaproxyTree) -> Iterator[Hit]:
    seen = set()
    for backend in _probed(tree):
        for line in _expects(backend):
            kinds = {word for word in line.words if word in ("string", "rstring")}
            if kinds and line not in seen:
                seen.add(line)
                yield line.place, "the probe looks into the body"


def _seconds(server: Server, name: str, default: float) -> float | None:
    text = server.parameters.get(name)
    return default if text is None else haproxy_seconds(text)


def _slow(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in _probed(tree):
        for server in backend.servers:
            inter = _seconds(server, "inter", _DEFAULT_INTER)
            if inter is None or not server.checked:
                continue
            fast = _seconds(server, "fastinter", inter)
            fall = whole(server.parameters.get("fall", "3"))
            if fast is None or fall is None:
                continue
            worst = inter + fast * (fall - 1)
            if worst > _SLOWEST:
                yield server.line.place, f"a dead server is found after up to {worst:g} s"
                break


def _outlasts(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in _probed(tree):
        timeout = backend.effective("timeout", "check")
        seconds = haproxy_seconds(timeout.words[2]) if timeout and len(timeout.words) > 2 else None
        for server in backend.servers:
            inter = _seconds(server, "inter", _DEFAULT_INTER)
            if seconds is not None and inter is not None and server.checked and seconds > inter:
                yield (
                    server.line.place,
                    f"timeout check {seconds:g} s is longer than inter {inter:g} s",
                )
                break


def _cuts(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        for server in backend.servers:
            if server.parameters.get("on-marked-down") == "shutdown-sessions":
                yield server.line.place, "a server that is marked down loses its calls in flight"
                break


RULES: Final[tuple[Rule[HaproxyTree], ...]] = (
    Rule(
        id="haproxy-no-check",
        title="A dead server keeps its share",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_no_check,
        cure="write check inter 1s fastinter 200ms rise 2 fall 2 at default-server",
        why="Without check a server is up for ever: each of its sessions' requests fails or waits.",
        breaks=changed(
            changed(HAPROXY_BASE, _CHECK + " ", ""),
            _PROBE + "    http-check expect status 200\n",
            "",
        ),
        holds=HAPROXY_BASE,
        flaws=(23,),
    ),
    Rule(
        id="haproxy-check-tcp-only",
        title="The check does not speak HTTP",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_tcp_only,
        cure=_CURE,
        why="A KATO whose event loop hangs still takes connections, so it stays in.",
        breaks=changed(HAPROXY_BASE, _PROBE + "    http-check expect status 200\n", ""),
        holds=HAPROXY_BASE,
        flaws=(23,),
    ),
    Rule(
        id="haproxy-httpchk-unused",
        title="httpchk without check",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_unused,
        cure="write check at the servers or at default-server",
        why="option httpchk says how to probe, check says that it is done. haproxy -c is silent.",
        breaks=changed(HAPROXY_BASE, _CHECK + " ", ""),
        holds=HAPROXY_BASE,
        companions=("haproxy-no-check",),
    ),
    Rule(
        id="haproxy-check-method-refused",
        title="KATO refuses the check's method",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_refused,
        cure=_CURE,
        why="A bare option httpchk sends OPTIONS; KATO answers OPTIONS and HEAD with 405, and "
        "every server is marked down.",
        breaks=changed(HAPROXY_BASE, "meth GET", "meth HEAD"),
        holds=HAPROXY_BASE,
        flaws=(24,),
    ),
    Rule(
        id="haproxy-check-path-unknown",
        title="KATO has no such path",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_unknown_path,
        cure="use /health, or /sessions/lb-probe/exists to ask for Redis too",
        why="KATO answers 404 and every server is marked down; it has no readiness path.",
        breaks=changed(HAPROXY_BASE, "uri /health", "uri /ready"),
        holds=HAPROXY_BASE,
    ),
    Rule(
        id="haproxy-check-old-syntax",
        title="The check sends no Host",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_old_syntax,
        cure=_CURE,
        why="The arguments of option httpchk are the old form: HTTP/1.0 without Host, which a "
        "server or proxy in between may answer differently than clients' requests.",
        breaks=changed(HAPROXY_BASE, _PROBE, "    option httpchk GET /health\n"),
        holds=HAPROXY_BASE,
        flaws=(24,),
    ),
    Rule(
        id="haproxy-check-reads-body",
        title="The check looks into the body",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_body,
        cure="expect the status only; ask for /sessions/lb-probe/exists where Redis matters",
        why="The body of /health speaks of the host's memory: above 90 % it says unhealthy in all "
        "replicas of a host at once, and all of them would be put aside.",
        breaks=changed(HAPROXY_BASE, "expect status 200", "expect string healthy"),
        holds=HAPROXY_BASE,
        flaws=(24,),
    ),
    Rule(
        id="haproxy-check-slow",
        title="A dead server is found late",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_slow,
        cure="write inter 1s fastinter 200ms downinter 500ms rise 2 fall 2, and timeout check 1s",
        why="inter 5s fall 3 found a crash after 10.3 to 14.9 s and a hang after 25.2 to 26.7 s; "
        "the cure finds them after 0.4 to 0.9 s and 2.7 to 3.1 s.",
        breaks=changed(HAPROXY_BASE, _CHECK, "check inter 5s rise 2 fall 3"),
        holds=HAPROXY_BASE,
        flaws=(25,),
    ),
    Rule(
        id="haproxy-check-timeout-above-inter",
        title="A check may last longer than the time between two",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_outlasts,
        cure="keep timeout check at or below inter",
        why="The next check then waits for the last one, and a hang is found later than inter and "
        "fall promise.",
        breaks=changed(HAPROXY_BASE, "timeout check 1s", "timeout check 5s"),
        holds=HAPROXY_BASE,
    ),
    Rule(
        id="haproxy-marked-down-cuts-calls",
        title="Calls in flight are cut when a check fails",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_cuts,
        cure="remove on-marked-down shutdown-sessions",
        why="It ends hangs sooner, but killed 22 POSTs in flight that KATO was doing.",
        breaks=changed(HAPROXY_BASE, "fall 2 ", "fall 2 on-marked-down shutdown-sessions "),
        holds=HAPROXY_BASE,
    ),
)
