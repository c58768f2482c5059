"""Rules on nginx's timeouts and on what is tried again."""

from collections.abc import Iterator
from typing import Final

from kato_balancing.lint import sample_requests as sample
from kato_balancing.lint.amounts import nginx_seconds, whole
from kato_balancing.lint.findings import Hit, Place, Severity
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.nginx_routes import location_of, proxied
from kato_balancing.lint.nginx_tree import NginxTree, Node
from kato_balancing.lint.rule import Program, Rule, changed

CLIENT_TIMEOUT: Final = 120.0
"""KATO's own clients give up after this; a shorter read makes them repeat what still runs."""

_LONGEST_CONNECT: Final = 3.0
_DEFAULT_TIMEOUT: Final = 60.0
_READ: Final = "        proxy_read_timeout 300s;\n"
_RETRY: Final = "proxy_next_upstream error timeout;"


def _setting(tree: NginxTree, name: str, default: float) -> Iterator[tuple[Node, Place, float]]:
    """The block, the place and the seconds of a time that rules somewhere, each place once."""
    seen: set[Place] = set()
    for block, proxy_pass in proxied(tree):
        node = block.effective(name)
        seconds = default if node is None else nginx_seconds(node.first)
        place = proxy_pass.place if node is None else node.place
        if seconds is not None and place not in seen:
            seen.add(place)
            yield block, place, seconds


def _read_short(tree: NginxTree) -> Iterator[Hit]:
    for block, place, seconds in _setting(tree, "proxy_read_timeout", _DEFAULT_TIMEOUT):
        if seconds < CLIENT_TIMEOUT:
            default = "" if block.effective("proxy_read_timeout") else ", the default"
            yield place, f"nginx waits {seconds:g} s for an answer{default}"


def _connect_long(tree: NginxTree) -> Iterator[Hit]:
    for block, place, seconds in _setting(tree, "proxy_connect_timeout", _DEFAULT_TIMEOUT):
        if seconds > _LONGEST_CONNECT:
            default = "" if block.effective("proxy_connect_timeout") else ", the default"
            yield place, f"nginx tries to connect for {seconds:g} s{default}"


def _retries(tree: NginxTree) -> Iterator[tuple[Node, Node, list[str]]]:
    """Blocks that pass on, where the retries are set or the proxy_pass, and their conditions."""
    seen: set[Node] = set()
    for block, proxy_pass in proxied(tree):
        node = block.effective("proxy_next_upstream")
        conditions = ["error", "timeout"] if node is None else list(node.arguments)
        where = node or proxy_pass
        if where not in seen and "off" not in conditions:
            seen.add(where)
            yield block, where, conditions


def _post_twice(tree: NginxTree) -> Iterator[Hit]:
    for _, where, conditions in _retries(tree):
        if "non_idempotent" in conditions:
            yield where.place, "a POST that was sent is sent again to another server"


def _on_503(tree: NginxTree) -> Iterator[Hit]:
    for _, where, conditions in _retries(tree):
        if "http_503" in conditions:
            yield where.place, "a 503 counts as a failure of the server"


def _unbounded(tree: NginxTree) -> Iterator[Hit]:
    for block, where, _ in _retries(tree):
        missing = []
        for name in ("proxy_next_upstream_tries", "proxy_next_upstream_timeout"):
            node = block.effective(name)
            if node is None or nginx_seconds(node.first) == 0:
                missing.append(name)
        if missing:
            yield where.place, f"every server may be tried: {' and '.join(missing)} not set"


def _window(tree: NginxTree) -> Iterator[Hit]:
    seen: set[Node] = set()
    for block, _, _ in _retries(tree):
        window = block.effective("proxy_next_upstream_timeout")
        tries = block.effective("proxy_next_upstream_tries")
        connect = block.effective("proxy_connect_timeout")
        read = block.effective("proxy_read_timeout")
        if window is None or window in seen:
            continue
        seen.add(window)
        seconds = nginx_seconds(window.first)
        count = whole(tries.first) if tries else None
        each = nginx_seconds(connect.first) if connect else _DEFAULT_TIMEOUT
        longest = nginx_seconds(read.first) if read else _DEFAULT_TIMEOUT
        if not seconds:
            continue
        if count and each and count * each > seconds:
            yield (
                window.place,
                f"{count} tries of {each:g} s to connect don't fit into {seconds:g} s",
            )
        if longest is not None and seconds > longest:
            yield window.place, f"servers are tried for {seconds:g} s, longer than one may answer"


def _fallback(tree: NginxTree) -> Iterator[Hit]:
    for page in tree.named("error_page"):
        name = page.arguments[-1] if page.arguments else ""
        server = page if page.name == "server" else page.within("server")
        failed = {"502", "504"} & set(page.arguments)
        if server is None or not failed or not name.startswith("@"):
            continue
        for location in server.all("location"):
            guarded = location.get("limit_except") or any(
                node.get("return") for node in location.all("if")
            )
            if location.first == name and location.get("proxy_pass") and not guarded:
                yield location.place, f"{name} repeats a POST that a server may have done"


def _events_short(tree: NginxTree) -> Iterator[Hit]:
    for server in tree.named("server"):
        location = location_of(server, sample.EVENTS.path) if server.is_block else None
        if location is None or not location.get("proxy_pass"):
            continue
        headers = {node.first.lower() for node in location.effective_all("proxy_set_header")}
        node = location.effective("proxy_read_timeout")
        seconds = nginx_seconds(node.first) if node else None
        if "upgrade" in headers and node and seconds is not None and 120 <= seconds < 600:
            special = location.get("proxy_read_timeout") is not None
            if special:
                yield node.place, f"a WebSocket without a message for {seconds:g} s is closed"


RULES: Final[tuple[Rule[NginxTree], ...]] = (
    Rule(
        id="nginx-read-timeout-short",
        title="nginx gives up while KATO still works",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_read_short,
        cure="write proxy_read_timeout 300s;",
        why="observe-sequence runs for minutes and clients wait for 120 s. A client that gets 504 "
        "repeats a call that is still running: two writers on one session.",
        breaks=changed(NGINX_BASE, _READ, _READ.replace("300s", "30s")),
        holds=NGINX_BASE,
        flaws=(15,),
    ),
    Rule(
        id="nginx-connect-timeout-long",
        title="A server that does not answer is waited for",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_connect_long,
        cure="write proxy_connect_timeout 1s; (2s between sites)",
        why="On one network a connection takes milliseconds; every request of a lost server's "
        "sessions waits this long before another is tried.",
        breaks=changed(NGINX_BASE, "connect_timeout 1s", "connect_timeout 10s").replace(
            "upstream_timeout 10s", "upstream_timeout 30s"
        ),
        holds=NGINX_BASE,
        flaws=(13,),
    ),
    Rule(
        id="nginx-retries-unbounded",
        title="Every server is tried, for as long as it takes",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_unbounded,
        cure="write proxy_next_upstream_tries 3; and proxy_next_upstream_timeout 10s;",
        why="Neither has a limit by default: when all servers hang, a request waits for each of "
        "them in turn, and one bad request can put all of them aside.",
        breaks=changed(NGINX_BASE, "        proxy_next_upstream_tries 3;\n", ""),
        holds=NGINX_BASE,
        flaws=(13,),
    ),
    Rule(
        id="nginx-retry-window",
        title="The time for further tries does not fit the other times",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_window,
        cure="keep tries x proxy_connect_timeout <= proxy_next_upstream_timeout <= "
        "proxy_read_timeout",
        why="Otherwise the last tries never happen, or a client waits longer for failing servers "
        "than for a working one.",
        breaks=changed(NGINX_BASE, "upstream_timeout 10s", "upstream_timeout 2s"),
        holds=NGINX_BASE,
        flaws=(13,),
    ),
    Rule(
        id="nginx-post-sent-twice",
        title="A POST that was sent is repeated",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_post_twice,
        cure="remove non_idempotent; clients see from /stm whether a call was done",
        why="KATO's observe is not idempotent: the first server may have learned already, and the "
        "repetition is learned again, by another process without the session's lock.",
        breaks=changed(NGINX_BASE, _RETRY, "proxy_next_upstream error timeout non_idempotent;"),
        holds=NGINX_BASE,
        flaws=(14,),
    ),
    Rule(
        id="nginx-retry-on-503",
        title="A busy server is taken for a dead one",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_on_503,
        cure="remove http_503 where session calls go",
        why="KATO answers 503 above its connection limit. Listed here it counts towards max_fails: "
        "a merely busy server is put aside and its sessions move while their calls still run.",
        breaks=changed(NGINX_BASE, _RETRY, "proxy_next_upstream error timeout http_503;"),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-fallback-repeats-post",
        title="The fallback location repeats POSTs",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_fallback,
        cure="answer there: if ($request_method !~ ^(GET|HEAD|OPTIONS)$) { return 503; }",
        why="error_page sends every method on, also a POST that was sent and whose answer got "
        "lost: it is done twice.",
        breaks=changed(
            NGINX_BASE,
            "        location / {\n",
            "        error_page 502 504 = @backup;\n"
            "        location @backup {\n            proxy_pass http://kato;\n        }\n"
            "        location / {\n",
        ),
        holds=changed(
            NGINX_BASE,
            "        location / {\n",
            "        error_page 502 504 = @backup;\n        location @backup {\n"
            "            if ($request_method !~ ^(GET|HEAD|OPTIONS)$) {\n"
            "                return 503;\n            }\n"
            "            proxy_pass http://kato;\n        }\n        location / {\n",
        ),
        flaws=(9, 14),
    ),
    Rule(
        id="nginx-websocket-timeout-short",
        title="A quiet WebSocket is closed",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_events_short,
        cure="write proxy_read_timeout 1h; in the WebSocket's location",
        why="Events come when something happens; without one for this long the connection ends.",
        breaks=changed(NGINX_BASE, "proxy_read_timeout 1h", "proxy_read_timeout 120s"),
        holds=NGINX_BASE,
        flaws=(15,),
    ),
)
