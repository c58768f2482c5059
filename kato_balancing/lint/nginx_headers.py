"""Rules on the headers that go to KATO, and on WebSockets."""

from collections.abc import Iterator
from typing import Final

from kato_balancing import headers
from kato_balancing.lint import sample_requests as sample
from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.nginx_routes import passed_on, proxied, public_servers
from kato_balancing.lint.nginx_tree import NginxTree, Node
from kato_balancing.lint.rule import Program, Rule, changed

_FORWARDED: Final = "        proxy_set_header X-Forwarded-For $remote_addr;\n        proxy_connect"
_HOST: Final = "        proxy_set_header Host $host;\n"
_EVENTS: Final = """\
        location = /ws/events {
            proxy_pass http://kato;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_read_timeout 1h;
        }
"""


def _set(tree: NginxTree, name: str) -> list[tuple[Node, str]]:
    """Every proxy_set_header of that name, with its value."""
    return [
        (node, node.arguments[1])
        for node in tree.named("proxy_set_header")
        if len(node.arguments) == 2 and node.first.lower() == name.lower()
    ]


def _session_overwritten(tree: NginxTree) -> Iterator[Hit]:
    for node, value in _set(tree, headers.SESSION_HEADER):
        if value != "$http_x_session_id":
            what = (
                "is removed"
                if not value
                else f"is replaced by {value}, and removed where that is empty"
            )
            yield node.place, f"the client's {headers.SESSION_HEADER} {what}"


def _forwarded_trusted(tree: NginxTree) -> Iterator[Hit]:
    if tree.named("set_real_ip_from"):
        return
    for node, value in _set(tree, "X-Forwarded-For"):
        if "$proxy_add_x_forwarded_for" in value or "$http_x_forwarded_for" in value:
            yield node.place, f"X-Forwarded-For {value} passes on what the client claims"


def _host_lost(tree: NginxTree) -> Iterator[Hit]:
    seen: set[Node] = set()
    for block, proxy_pass in proxied(tree):
        sent = block.effective_all("proxy_set_header")
        if any(node.first.lower() == "host" for node in sent):
            continue
        where = sent[0] if sent else proxy_pass
        if where not in seen:
            seen.add(where)
            replaced = ", because this level sets headers of its own" if sent else ""
            yield where.place, f"KATO sees the upstream's name as Host{replaced}"


def _no_websocket(tree: NginxTree) -> Iterator[Hit]:
    for server in public_servers(tree):
        location = passed_on(tree, server, sample.EVENTS)
        if location is None:
            continue
        sent = {node.first.lower() for node in location.effective_all("proxy_set_header")}
        missing = [name for name in ("Upgrade", "Connection") if name.lower() not in sent]
        if missing:
            yield (
                location.place,
                f"{sample.EVENTS.target} is passed on without {' and '.join(missing)}",
            )


RULES: Final[tuple[Rule[NginxTree], ...]] = (
    Rule(
        id="nginx-session-header-overwritten",
        title="The client's X-Session-ID is overwritten",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_session_overwritten,
        cure="remove this line; nginx passes the client's header on by itself",
        why="An empty value means that the header is not sent: on every path without a session id "
        "the client's own header is deleted, and KATO opens a new session.",
        breaks=changed(
            NGINX_BASE,
            _FORWARDED,
            "        proxy_set_header X-Session-ID $path_session;\n" + _FORWARDED,
        ),
        holds=NGINX_BASE,
        flaws=(7,),
    ),
    Rule(
        id="nginx-forwarded-for-trusted",
        title="The client's X-Forwarded-For is believed",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_forwarded_trusted,
        cure="send $remote_addr at the edge, or name the proxies in front with set_real_ip_from",
        why="Anybody can send the header; logs, limits and audits behind nginx then show the "
        "address that the client made up.",
        breaks=changed(
            NGINX_BASE, _FORWARDED, _FORWARDED.replace("$remote_addr", "$proxy_add_x_forwarded_for")
        ),
        holds=NGINX_BASE,
        flaws=(16,),
    ),
    Rule(
        id="nginx-host-header-lost",
        title="KATO does not see the client's Host",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_host_lost,
        cure="write proxy_set_header Host $host; at the level that sets the other headers",
        why="Without it Host is the upstream's name, and KATO's redirects lead there. A location "
        "with one proxy_set_header of its own inherits none from outside.",
        breaks=changed(NGINX_BASE, _HOST + _FORWARDED, _FORWARDED),
        holds=NGINX_BASE,
        flaws=(15,),
    ),
    Rule(
        id="nginx-websocket-missing",
        title="WebSockets don't get through",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_no_websocket,
        cure="add location = /ws/events with proxy_set_header Upgrade $http_upgrade; "
        "proxy_set_header Connection upgrade; proxy_read_timeout 1h;, or return 404 there",
        why="nginx does not pass Upgrade on by itself, so KATO's event stream can't be opened.",
        breaks=changed(NGINX_BASE, _EVENTS, ""),
        holds=NGINX_BASE,
        flaws=(15,),
    ),
)
