"""Rules on how a backend picks a server: does a session stay with its owner?"""

from collections.abc import Iterator
from typing import Final

from kato_balancing import kato
from kato_balancing.lint import sample_requests as sample
from kato_balancing.lint.amounts import haproxy_seconds, whole
from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.haproxy_keys import (
    HASHES,
    is_consistent,
    keys,
    method,
    no_session,
    only_without_session,
    other_value,
    session_keys,
    shown,
)
from kato_balancing.lint.haproxy_tree import HaproxyTree, Section
from kato_balancing.lint.rule import Program, Rule, changed

_BALANCE: Final = "balance hash var(txn.session)"
_TYPE: Final = "    hash-type consistent crc32 avalanche\n"
_PATH: Final = "    http-request set-var(txn.path) path,url_dec\n"
_RESERVED: Final = (
    "    http-request unset-var(txn.session) if { var(txn.session) -m str count test }\n"
)
_HEADER: Final = (
    "    http-request set-var(txn.session) req.hdr(x-session-id) "
    "if !{ var(txn.session) -m found }\n"
)
_TABLE: Final = """\
    stick-table type string len 128 size 1m expire 2h peers lb
    stick on var(txn.session)
"""
_LEARNED: Final = changed(
    changed(HAPROXY_BASE, _TYPE, _TYPE + _TABLE),
    "    hard-stop-after 35s\n",
    "    hard-stop-after 35s\n    localpeer lb1\n\npeers lb\n    peer lb1 127.0.0.1:1024\n",
)
_SESSION_HASH: Final = (
    "write balance hash var(txn.session) and hash-type consistent crc32 avalanche"
)
_KEY_CURE: Final = (
    "write http-request set-var(txn.session) path,url_dec,field(3,/) "
    "if { path,url_dec -m beg /sessions/ } and leave out count and test"
)
_RING_WEIGHT: Final = 64
_RELOAD_KEEPS_TABLE: Final = (3, 2, 0)


def _has_table(backend: Section) -> bool:
    return bool(backend.all("stick", "on") or backend.all("stick", "match"))


def _has_cookie(backend: Section) -> bool:
    return backend.effective("cookie") is not None


def _no_affinity(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        name, line = method(backend)
        several = len(backend.servers) > 1 or any(s.is_template for s in backend.servers)
        if not several or name in HASHES or _has_table(backend) or _has_cookie(backend):
            continue
        if not only_without_session(tree, backend):
            yield (
                (line or backend).place,
                f"{backend.title} spreads a session over all its servers ({name})",
            )


def _race(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        name, line = method(backend)
        if name not in HASHES and _has_table(backend):
            yield (
                (line or backend).place,
                f"{backend.title}: a new session's first parallel calls meet on no server ({name})",
            )


def _bounded(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.of("backend", "listen", "defaults"):
        for line in backend.all("hash-balance-factor"):
            if line.words[1:2] != ("0",):
                yield line.place, "bounded load sends a session's calls to other servers"
        for line in backend.all("hash-preserve-affinity"):
            if line.words[1:2] not in (("always",), ()):
                yield line.place, f"a session leaves its owner at {line.words[1]}"


def _unsound(tree: HaproxyTree) -> Iterator[Hit]:
    for key in keys(tree):
        reason = no_session(tree, key)
        if reason is not None:
            yield key.line.place, reason


def _address(tree: HaproxyTree) -> Iterator[Hit]:
    for key in keys(tree):
        if key.is_address:
            yield (
                key.line.place,
                f"{key.backend.title} keeps clients together by address, not sessions",
            )


def _keeps_query(tree: HaproxyTree) -> Iterator[Hit]:
    for key, own in session_keys(tree):
        found = other_value(tree, key, sample.WITH_QUERY, own)
        if found != own:
            yield key.line.place, f"{shown(sample.WITH_QUERY)} has another key"


def _raw(tree: HaproxyTree) -> Iterator[Hit]:
    for key, own in session_keys(tree):
        lost = [r for r in sample.ENCODED if other_value(tree, key, r, own) != own]
        if lost:
            yield key.line.place, "another key, or none, for " + ", ".join(map(shown, lost))


def _reserved(tree: HaproxyTree) -> Iterator[Hit]:
    for key, _ in session_keys(tree):
        taken = [r for r in sample.NO_SESSION if other_value(tree, key, r, "")]
        if taken:
            names = ", ".join(map(shown, taken))
            yield key.line.place, f"{names} is no session, but is hashed as one"


def _header(tree: HaproxyTree) -> Iterator[Hit]:
    for key, own in session_keys(tree):
        if not other_value(tree, key, sample.ONLY_HEADER, own):
            yield (
                key.line.place,
                f"key {key.text} has no value for a request that names its session in "
                "X-Session-ID only",
            )


def _not_consistent(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        name, line = method(backend)
        if line is not None and name in HASHES and not is_consistent(backend):
            yield line.place, f"{backend.title} hashes without a ring"


def _no_id(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        if not is_consistent(backend):
            continue
        for server in backend.servers:
            by_name = server.parameters.get("hash-key", "id") != "id"
            if not by_name and not server.is_template and "id" not in server.parameters:
                yield server.line.place, f"server {server.name} has no id: its position is its key"
                break


def _ring_weight(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        if not is_consistent(backend) or any(server.is_template for server in backend.servers):
            continue
        weights = [whole(server.parameters.get("weight", "1")) for server in backend.servers]
        most = max((weight for weight in weights if weight is not None), default=None)
        if len(weights) > 1 and most is not None and most < _RING_WEIGHT:
            yield (
                backend.servers[0].line.place,
                f"weights up to {most} are {16 * most} points a server on the ring",
            )


def _weights(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        weights = [server.parameters.get("weight", "1") for server in backend.servers]
        if len(set(weights)) > 1:
            yield backend.servers[0].line.place, f"weights {', '.join(weights)}"


def _unused_type(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        name, _ = method(backend)
        for line in backend.all("hash-type"):
            if name not in HASHES:
                yield line.place, f"hash-type is without effect on {name}"


def _forgets(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        for line in backend.all("stick-table"):
            seconds = haproxy_seconds(line.after("expire") or "")
            if _has_table(backend) and seconds is not None and seconds < kato.SESSION_TTL_SECONDS:
                yield line.place, f"sessions are forgotten after {seconds:g} s"


def _lost_at_reload(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        for line in backend.all("stick-table"):
            if not _has_table(backend):
                continue
            if line.after("peers") is None:
                yield line.place, "the table is empty after every reload: it has no peers"
            elif tree.below(_RELOAD_KEEPS_TABLE):
                yield line.place, "the table is empty after a reload of HAProxy below 3.2"


RULES: Final[tuple[Rule[HaproxyTree], ...]] = (
    Rule(
        id="haproxy-no-session-affinity",
        title="A session's requests go to any server",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_no_affinity,
        cure=_SESSION_HASH,
        why="KATO's session lock lives in one process. With 40 sessions and 40 overlapping "
        "writers round robin lost 27.8 % and least connections 27.9 % of the acknowledged "
        "observations; a hash by session lost none.",
        breaks=changed(changed(HAPROXY_BASE, _BALANCE, "balance leastconn"), _TYPE, ""),
        holds=HAPROXY_BASE,
        flaws=(23, 26),
    ),
    Rule(
        id="haproxy-table-without-hash",
        title="A new session's parallel calls race for the table",
        severity=Severity.INFO,
        program=Program.HAPROXY,
        check=_race,
        cure=_SESSION_HASH + ", beside the table",
        why="leastconn with a table lost 1.0 % of the observations: the first calls of a session "
        "come before its entry. With a hash beside the table it was none.",
        breaks=changed(changed(_LEARNED, _BALANCE, "balance leastconn"), _TYPE, ""),
        holds=_LEARNED,
        flaws=(26,),
    ),
    Rule(
        id="haproxy-bounded-load",
        title="Overload takes sessions from their owner",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_bounded,
        cure="remove it; limit with maxconn and timeout queue, so that requests wait for their "
        "owner",
        why="hash-balance-factor 125 lost 10.3 % of the acknowledged observations.",
        breaks=changed(HAPROXY_BASE, _TYPE, _TYPE + "    hash-balance-factor 125\n"),
        holds=HAPROXY_BASE,
    ),
    Rule(
        id="haproxy-hash-key-not-session",
        title="The hash key is not the session",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_unsound,
        cure=_KEY_CURE,
        why="balance uri depth 2 sent every POST /sessions to one server (900 of 900); a key that "
        "differs between a session's calls is no affinity at all.",
        breaks=changed(HAPROXY_BASE, _BALANCE, "balance uri depth 2"),
        holds=HAPROXY_BASE,
        flaws=(8,),
    ),
    Rule(
        id="haproxy-hash-by-client-address",
        title="The key is the client's address",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_address,
        cure=_SESSION_HASH + ", or allow it with a comment where a session never has two clients",
        why="Clients behind one NAT or proxy are one key and load one server; a session that two "
        "clients use has two owners, and overlapping updates of it are lost.",
        breaks=changed(HAPROXY_BASE, _BALANCE, "balance source"),
        holds=HAPROXY_BASE,
        flaws=(10,),
    ),
    Rule(
        id="haproxy-session-key-keeps-query",
        title="The session key keeps the query string",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_keeps_query,
        cure=_KEY_CURE,
        why="/sessions/ID?x=1 and /sessions/ID are then two sessions with two owners.",
        breaks=changed(HAPROXY_BASE, _PATH, _PATH.replace("path,url_dec", "pathq,url_dec")),
        holds=HAPROXY_BASE,
        flaws=(5,),
        companions=("haproxy-session-key-takes-reserved-words",),
    ),
    Rule(
        id="haproxy-session-key-raw-path",
        title="The session key is read from the undecoded path",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_raw,
        cure=_KEY_CURE,
        why="KATO accepts percent-encoded ids; without url_dec they lose their owner.",
        breaks=changed(HAPROXY_BASE, _PATH, _PATH.replace(",url_dec", "")),
        holds=HAPROXY_BASE,
        flaws=(6,),
    ),
    Rule(
        id="haproxy-session-key-takes-reserved-words",
        title="/sessions/count and /sessions/test are taken for sessions",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_reserved,
        cure="add http-request unset-var(txn.session) if { var(txn.session) -m str count test }",
        why="All calls of /sessions/count then go to one server.",
        breaks=changed(HAPROXY_BASE, _RESERVED, ""),
        holds=HAPROXY_BASE,
        flaws=(6,),
    ),
    Rule(
        id="haproxy-session-header-not-hashed",
        title="Sessions named in X-Session-ID only are not hashed",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_header,
        cure="add http-request set-var(txn.session) req.hdr(x-session-id) "
        "if !{ var(txn.session) -m found }",
        why="Calls whose path has no session name it in the header; without a fallback they are "
        "spread over all servers, whose locks know nothing of each other.",
        breaks=changed(HAPROXY_BASE, _HEADER, ""),
        holds=HAPROXY_BASE,
        flaws=(7,),
    ),
    Rule(
        id="haproxy-hash-not-consistent",
        title="The hash moves most sessions when the pool changes",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_not_consistent,
        cure="write hash-type consistent crc32 avalanche",
        why="The default, map-based, moves 75 % of the sessions from 3 to 4 servers; a ring 25 %.",
        breaks=changed(HAPROXY_BASE, _TYPE, ""),
        holds=HAPROXY_BASE,
    ),
    Rule(
        id="haproxy-no-server-id",
        title="A server's place in the file is its place on the ring",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_no_id,
        cure="give every server an id that follows from its name (or hash-key guid and guid, from "
        "3.4)",
        why="With three servers and 500 sessions a new order moved all 500, and removing the "
        "middle one moved 84 and 82 sessions of the others. With an id it was none.",
        breaks=HAPROXY_BASE.replace(" id 1001", "").replace(" id 1002", ""),
        holds=HAPROXY_BASE,
    ),
    Rule(
        id="haproxy-ring-weight-small",
        title="The ring has few points, so load is uneven",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_ring_weight,
        cure="write weight 256 at every server",
        why="HAProxy puts 16 points per unit of weight on the ring: with weight 1 the fullest "
        "of 3 to 10 servers owns up to 1.69 times the mean, with 64 up to 1.07 and with 256 up to "
        "1.04.",
        breaks=changed(HAPROXY_BASE, " weight 128", ""),
        holds=HAPROXY_BASE,
    ),
    Rule(
        id="haproxy-weights-unequal",
        title="Servers have different weights",
        severity=Severity.INFO,
        program=Program.HAPROXY,
        check=_weights,
        cure="give equal replicas equal weights, or allow it with a comment where they differ",
        why="A guessed weight is wrong for as long as it stands; with a hash a change to 50 % "
        "moved 12.1 % of the sessions.",
        breaks=changed(HAPROXY_BASE, "id 1001", "id 1001 weight 64"),
        holds=HAPROXY_BASE,
        flaws=(17,),
    ),
    Rule(
        id="haproxy-hash-type-unused",
        title="hash-type without a hash",
        severity=Severity.INFO,
        program=Program.HAPROXY,
        check=_unused_type,
        cure=_SESSION_HASH,
        why="HAProxy takes it silently; whoever wrote it expected a hash.",
        breaks=changed(HAPROXY_BASE, _BALANCE, "balance roundrobin"),
        holds=HAPROXY_BASE,
        companions=("haproxy-no-session-affinity",),
    ),
    Rule(
        id="haproxy-table-expires-early",
        title="The table forgets sessions that still live",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_forgets,
        cure="write expire 2h: KATO's sessions live for an hour after their last use",
        why="A session that is forgotten goes where the hash says, which after a scale-out is "
        "another server.",
        breaks=changed(_LEARNED, "expire 2h", "expire 30m"),
        holds=_LEARNED,
    ),
    Rule(
        id="haproxy-table-lost-at-reload",
        title="The table is empty after a reload",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_lost_at_reload,
        cure="add a peers section with this HAProxy as localpeer and peers NAME to the "
        "stick-table; use 3.2 or newer",
        why="With peers 5,000 of 5,000 sessions kept their server over a reload of 3.4; on 2.6 "
        "the table came up empty and 1,266 moved.",
        breaks=changed(_LEARNED, " peers lb\n", "\n"),
        holds=_LEARNED,
    ),
)
