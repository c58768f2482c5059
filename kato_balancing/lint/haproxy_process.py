"""Rules on how HAProxy starts, reloads, stops and is commanded, by version."""

from collections.abc import Iterator
from typing import Final

from kato_balancing import kato
from kato_balancing.lint.amounts import haproxy_seconds
from kato_balancing.lint.findings import Hit, Place, Severity
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.haproxy_tree import HaproxyTree
from kato_balancing.lint.rule import Program, Rule, changed
from kato_balancing.lint.versions import shown
from kato_balancing.targets import Version

_SOCKET: Final = "    stats socket /tmp/haproxy.sock mode 600 level admin\n"
_SERVER_SINCE: Final[dict[str, Version]] = {"guid": (3, 0, 0), "healthcheck": (3, 4, 0)}
_HASH_KEY_SINCE: Final[dict[str, Version]] = {
    "addr": (3, 0, 0), "addr-port": (3, 0, 0), "guid": (3, 4, 0), "id32": (3, 4, 0),
}  # fmt: skip
_LINE_SINCE: Final[dict[str, Version]] = {"hash-preserve-affinity": (3, 2, 0)}
_SECTION_SINCE: Final[dict[str, Version]] = {
    "crt-store": (3, 0, 0), "log-profile": (3, 1, 0), "healthcheck": (3, 4, 0),
    "traces": (3, 1, 0), "acme": (3, 2, 0),
}  # fmt: skip


def _reload(tree: HaproxyTree) -> Iterator[Hit]:
    for section in tree.entrances:
        if section.option("idle-close-on-response") is None:
            yield section.place, f"a reload closes idle connections of {section.title} at once"


def _no_stop(tree: HaproxyTree) -> Iterator[Hit]:
    sections = tree.of("global")
    if sections and not any(section.all("hard-stop-after") for section in sections):
        yield sections[0].place, "the old process stays for as long as a client does"


def _stop_short(tree: HaproxyTree) -> Iterator[Hit]:
    for section in tree.of("global"):
        for line in section.all("hard-stop-after"):
            seconds = haproxy_seconds(line.after("hard-stop-after") or "")
            if seconds is not None and seconds < kato.GRACEFUL_SHUTDOWN_SECONDS:
                yield line.place, f"calls in flight are cut {seconds:g} s after a reload or stop"


def _no_socket(tree: HaproxyTree) -> Iterator[Hit]:
    sections = tree.of("global")
    if sections and not any(section.all("stats", "socket") for section in sections):
        yield sections[0].place, "no runtime socket: a server can't be drained"


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
        id="haproxy-hard-stop-early",
        title="A reload cuts calls that KATO would still finish",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_stop_short,
        cure="write hard-stop-after 35s in global",
        why="KATO itself gives calls in flight 30 s when it stops.",
        breaks=changed(HAPROXY_BASE, "hard-stop-after 35s", "hard-stop-after 5s"),
        holds=HAPROXY_BASE,
    ),
    Rule(
        id="haproxy-no-runtime-socket",
        title="Servers can't be drained",
        severity=Severity.INFO,
        program=Program.HAPROXY,
        check=_no_socket,
        cure="write stats socket /tmp/haproxy.sock mode 600 level admin in global",
        why="Drain, restart, ready through the runtime socket failed no request in 3 of 3 runs.",
        breaks=changed(HAPROXY_BASE, _SOCKET, ""),
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
        breaks=changed(HAPROXY_BASE, _SOCKET, "    stats socket ipv4@0.0.0.0:9999 level admin\n"),
        holds=HAPROXY_BASE,
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
        .replace("id 1001", "guid kato-0")
        .replace("id 1002", "guid kato-1"),
        holds=changed(HAPROXY_BASE, "init-addr none", "init-addr none hash-key guid")
        .replace("id 1001", "guid kato-0")
        .replace("id 1002", "guid kato-1"),
        breaks_version=(3, 2, 0),
        holds_version=(3, 4, 0),
    ),
)
