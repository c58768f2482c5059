"""Rules on what clients can reach, and on how nginx starts, reloads and stops."""

from collections.abc import Iterator
from typing import Final

from kato_balancing import kato
from kato_balancing.lint import sample_requests as sample
from kato_balancing.lint.amounts import nginx_seconds, size_bytes
from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.nginx_routes import passed_on, public_servers
from kato_balancing.lint.nginx_tree import NginxTree
from kato_balancing.lint.rule import Program, Rule, changed

_SMALL_BODY: Final = 10 * 1024 * 1024
_STATUS: Final = "        location = /status {\n            return 404;\n        }\n"


def _status_open(tree: NginxTree) -> Iterator[Hit]:
    for server in public_servers(tree):
        location = passed_on(tree, server, sample.STATUS)
        if location is not None:
            yield location.place, f"{sample.STATUS.target} is passed on to KATO"


def _body(tree: NginxTree) -> Iterator[Hit]:
    for server in public_servers(tree):
        node = server.effective("client_max_body_size")
        size = 1024**2 if node is None else size_bytes(node.first)
        inner = any(inner.name == "client_max_body_size" for inner in server.walk())
        if size is None or size == 0 or size >= _SMALL_BODY or (node is None and inner):
            continue
        yield (
            (node or server).place,
            f"bodies above {size // 1024} KB are refused" + ("" if node else ", the default"),
        )


def _plain(tree: NginxTree) -> Iterator[Hit]:
    if any("ssl" in node.arguments for node in tree.named("listen")):
        return
    for server in public_servers(tree):
        for node in server.all("listen"):
            if node.first.rpartition(":")[2] == "80":
                yield node.place, "clients come in unencrypted on port 80"


def _version_shown(tree: NginxTree) -> Iterator[Hit]:
    node = tree.http.get("server_tokens")
    if node is None or node.first not in ("off", "''", ""):
        yield (node or tree.http).place, "nginx tells its version in every answer"


def _no_stop(tree: NginxTree) -> Iterator[Hit]:
    if tree.root.get("worker_shutdown_timeout") is None:
        yield tree.http.place, "old workers stay for as long as a client keeps its WebSocket open"


def _stop_short(tree: NginxTree) -> Iterator[Hit]:
    node = tree.root.get("worker_shutdown_timeout")
    seconds = None if node is None else nginx_seconds(node.first)
    if node is not None and seconds is not None and seconds < kato.GRACEFUL_SHUTDOWN_SECONDS:
        yield node.place, f"calls in flight are cut {seconds:g} s after a reload or stop"


def _reload(tree: NginxTree) -> Iterator[Hit]:
    node = tree.http.get("keepalive_min_timeout")
    seconds = 0.0 if node is None else nginx_seconds(node.first)
    if seconds == 0 and public_servers(tree):
        yield (node or tree.http).place, "a reload closes idle client connections at once"


def _unread(tree: NginxTree) -> Iterator[Hit]:
    for place, problem in tree.unread:
        yield place, f"include {problem}"


RULES: Final[tuple[Rule[NginxTree], ...]] = (
    Rule(
        id="nginx-status-open",
        title="Clients can read /status",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_status_open,
        cure="add location = /status { return 404; }; better hide /docs, /openapi.json, /metrics "
        "and /cache too",
        why="KATO has no authentication, and its /status shows the Redis URL with its password.",
        breaks=changed(NGINX_BASE, _STATUS, ""),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-body-size-small",
        title="Large observations are refused",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_body,
        cure="write client_max_body_size 100m;",
        why="The default is 1 MB; sequences with vectors are larger and get 413 from nginx.",
        breaks=changed(NGINX_BASE, "    client_max_body_size 100m;\n", ""),
        holds=NGINX_BASE,
        flaws=(18,),
    ),
    Rule(
        id="nginx-plain-http",
        title="Port 80 without TLS",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_plain,
        cure="listen on 443 with ssl at the edge, or on 8080 behind a proxy that has TLS",
        why="Session ids and data travel in the clear; unprivileged images can't bind port 80.",
        breaks=changed(NGINX_BASE, "listen 8080;", "listen 80;"),
        holds=NGINX_BASE,
        flaws=(18,),
    ),
    Rule(
        id="nginx-version-shown",
        title="nginx tells its version",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_version_shown,
        cure="write server_tokens off; in http",
        why="It tells attackers which known holes to try.",
        breaks=changed(NGINX_BASE, "    server_tokens off;\n", ""),
        holds=NGINX_BASE,
        flaws=(18,),
        whole_file=True,
    ),
    Rule(
        id="nginx-no-shutdown-timeout",
        title="Old workers are never told to stop",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_no_stop,
        cure="write worker_shutdown_timeout 35s; at the top: KATO's 30 s of drain and a margin",
        why="After a reload workers with an open WebSocket keep running with the old servers, and "
        "a stop waits until the container is killed.",
        breaks=changed(NGINX_BASE, "worker_shutdown_timeout 35s;\n", ""),
        holds=NGINX_BASE,
        flaws=(18,),
        whole_file=True,
    ),
    Rule(
        id="nginx-shutdown-timeout-short",
        title="A reload cuts calls that KATO would still finish",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_stop_short,
        cure="write worker_shutdown_timeout 35s; at the top",
        why="KATO itself gives calls in flight 30 s when it stops.",
        breaks=changed(NGINX_BASE, "worker_shutdown_timeout 35s", "worker_shutdown_timeout 5s"),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-reload-cuts-clients",
        title="A reload cuts keep-alive clients",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_reload,
        cure="write keepalive_min_timeout 10s; in http (nginx 1.27.4 or newer)",
        why="With 32 keep-alive clients six reloads failed 79 requests on 1.30; with "
        "keepalive_min_timeout 10s it was none.",
        breaks=changed(NGINX_BASE, "    keepalive_min_timeout 10s;\n", ""),
        holds=NGINX_BASE,
        since=(1, 27, 4),
        whole_file=True,
    ),
    Rule(
        id="nginx-include-not-read",
        title="An include was not read",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_unread,
        cure="give the folder that holds every included file with --root, or mend the include",
        why="What stands in there was not judged; a missing or circular include also keeps nginx "
        "from starting. Includes are followed only below one folder.",
        breaks=changed(
            NGINX_BASE,
            "    server_tokens off;\n",
            "    server_tokens off;\n    include not/there.conf;\n",
        ),
        holds=NGINX_BASE,
    ),
)
