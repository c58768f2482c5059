"""Rules on the key that a session is hashed by: tried with the requests that KATO gets."""

from collections.abc import Iterator
from typing import Final

from kato_balancing.lint import sample_requests as sample
from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.nginx_base import NGINX_BASE
from kato_balancing.lint.nginx_routes import session_maps
from kato_balancing.lint.nginx_tree import NginxTree, Node
from kato_balancing.lint.nginx_values import CLIENT_ADDRESSES, value, variables
from kato_balancing.lint.rule import Program, Rule, changed
from kato_balancing.lint.sample_requests import Sample

_PATTERN: Final = '"~^/sessions/(?!(?:count|test)(?:/|$))(?<id>[A-Za-z0-9_-]{1,128})(?:/|$)" $id;'
_MAP: Final = f"map $uri $path_session {{\n        {_PATTERN}"
_HASH: Final = "hash $session consistent;"
_CURE: Final = f'make the key with: map $uri $path_session {{ {_PATTERN} default ""; }}'


def hashes(tree: NginxTree) -> list[Node]:
    """The hash directives of all upstreams."""
    return [node for upstream in tree.upstreams for node in upstream.all("hash") if node.arguments]


def is_client_address(key: str) -> bool:
    """True for a key of the client's address and nothing else of the request."""
    names = variables(key)
    return bool(names) and CLIENT_ADDRESSES.issuperset(names)


def _key(tree: NginxTree, node: Node, request: Sample) -> str | None:
    return value(tree, node.first, request)


def _no_session(tree: NginxTree, node: Node) -> str | None:
    """Why the key does not tell sessions apart, None when it does or is not known."""
    own = _key(tree, node, sample.OWN)
    if not variables(node.first):
        return f"hash key {node.first!r} is the same text for every request"
    if own is None or is_client_address(node.first):
        return None
    if own == "":
        return f"hash key {node.first} is empty for {_short(sample.OWN)}"
    if own == _key(tree, node, sample.OTHER):
        return f"hash key {node.first} is the same for two different sessions"
    for request in sample.SAME_SESSION:
        if _key(tree, node, request) not in (own, None):
            return (
                f"hash key {node.first} differs between two calls of one session, "
                f"{_short(sample.OWN)} and {_short(request)}"
            )
    return None


def _unsound(tree: NginxTree) -> Iterator[Hit]:
    for node in hashes(tree):
        reason = _no_session(tree, node)
        # A key like $request_id is not known here, and certainly no session.
        if reason is None and set(variables(node.first)) & {"request_id", "connection", "msec"}:
            reason = f"hash key {node.first} is a new one for every request"
        if reason is not None:
            yield node.place, reason


def _keyed(tree: NginxTree) -> Iterator[tuple[Node, Node, str]]:
    """Hash directives with a session key, where the key is made, and the session's key."""
    seen = set()
    for node in hashes(tree):
        own = _key(tree, node, sample.OWN)
        if own and _no_session(tree, node) is None and not is_client_address(node.first):
            made = next(iter(session_maps(tree, node.first)), node)
            if made not in seen:
                seen.add(made)
                yield node, made, own


def _keeps_query(tree: NginxTree) -> Iterator[Hit]:
    for node, made, own in _keyed(tree):
        key = _key(tree, node, sample.WITH_QUERY)
        if key not in (own, None):
            yield made.place, f"{_short(sample.WITH_QUERY)} has the key {_clip(str(key))}"


def _raw(tree: NginxTree) -> Iterator[Hit]:
    for node, made, own in _keyed(tree):
        lost = [r for r in sample.OTHER_SPELLINGS if _key(tree, node, r) not in (own, None)]
        if lost:
            yield made.place, "another key, or none, for " + ", ".join(map(_short, lost))


def _reserved(tree: NginxTree) -> Iterator[Hit]:
    for node, made, _ in _keyed(tree):
        taken = [r for r in sample.NO_SESSION if _key(tree, node, r)]
        if taken:
            yield (
                made.place,
                ", ".join(map(_short, taken)) + " is no session, but is hashed as one",
            )


def _loose(tree: NginxTree) -> Iterator[Hit]:
    for node, made, _ in _keyed(tree):
        if "\r" in (_key(tree, node, sample.LINE_BREAK) or ""):
            yield made.place, f"the key takes the line break of {_short(sample.LINE_BREAK)}"


def _header(tree: NginxTree) -> Iterator[Hit]:
    for node, _, _ in _keyed(tree):
        if _key(tree, node, sample.ONLY_HEADER) == "":
            yield (
                node.place,
                f"hash key {node.first} is empty for a request that names its session in "
                "X-Session-ID only",
            )


def _prefix(tree: NginxTree) -> Iterator[Hit]:
    for node, _, own in _keyed(tree):
        for location in tree.named("location"):
            passed = location.get("proxy_pass")
            stripped = passed is not None and passed.first.partition("://")[2].endswith("/")
            if len(location.arguments) != 1 or not stripped or location.first == "/":
                continue
            request = Sample(location.first.rstrip("/") + sample.OWN.target)
            if _key(tree, node, request) not in (own, None):
                yield location.place, f"{_short(request)} has no session key"


def _short(request: Sample) -> str:
    return _clip(request.target)


def _clip(text: str) -> str:
    return text.replace(sample.SESSION, "ID").replace(sample.SESSION[1:], "ession-…")


RULES: Final[tuple[Rule[NginxTree], ...]] = (
    Rule(
        id="nginx-hash-key-not-session",
        title="The hash key is not the session",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_unsound,
        cure=_CURE,
        why="A key that changes within a session (such as $request_uri) sends its calls to "
        "several servers: 27.8 % of acknowledged overlapping observations were lost. A key that "
        "is the same for all sends everything to one server.",
        breaks=changed(NGINX_BASE, _HASH, "hash $request_uri consistent;"),
        holds=NGINX_BASE,
        flaws=(6,),
    ),
    Rule(
        id="nginx-session-key-keeps-query",
        title="The session key keeps the query string",
        severity=Severity.ERROR,
        program=Program.NGINX,
        check=_keeps_query,
        cure=_CURE,
        why="/sessions/ID?x=1 reached the server of /sessions/ID in only 32.8 % of the calls.",
        breaks=changed(
            NGINX_BASE,
            _MAP,
            "map $request_uri $path_session {\n"
            '        "~^/sessions/(?!(?:count|test)(?:[/?]|$))(?<id>[^/]+)" $id;',
        ),
        holds=NGINX_BASE,
        flaws=(5,),
        companions=("nginx-session-key-raw-path",),
    ),
    Rule(
        id="nginx-session-key-raw-path",
        title="The session key is read from the undecoded path",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_raw,
        cure=_CURE,
        why="$request_uri is what the client wrote: //sessions/ID and percent-encoded ids, which "
        "KATO accepts, lose their owner (33 % reached it).",
        breaks=changed(
            NGINX_BASE,
            _MAP,
            "map $request_uri $path_session {\n"
            '        "~^/sessions/(?!(?:count|test)(?:[/?]|$))(?<id>[^/?#]+)" $id;',
        ),
        holds=NGINX_BASE,
        flaws=(6,),
    ),
    Rule(
        id="nginx-session-key-takes-reserved-words",
        title="/sessions/count and /sessions/test are taken for sessions",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_reserved,
        cure=_CURE,
        why="All calls of /sessions/count went to one server (3,000 of 3,000).",
        breaks=changed(NGINX_BASE, "(?!(?:count|test)(?:/|$))", ""),
        holds=NGINX_BASE,
        flaws=(6,),
    ),
    Rule(
        id="nginx-session-key-loose",
        title="The session key takes any character",
        severity=Severity.INFO,
        program=Program.NGINX,
        check=_loose,
        cure=_CURE,
        why="$uri is decoded, so a loose class such as [^/]+ can hold a line break; where the key "
        "is put into a header or a log, the client writes lines of its own.",
        breaks=changed(NGINX_BASE, "[A-Za-z0-9_-]{1,128}", "[^/]+"),
        holds=NGINX_BASE,
    ),
    Rule(
        id="nginx-session-header-not-hashed",
        title="Sessions named in X-Session-ID only are not hashed",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_header,
        cure='add map $path_session $session { "" $http_x_session_id; default $path_session; } '
        "and hash by $session",
        why="Calls whose path has no session name it in the header; without a fallback they are "
        "spread over all servers, whose locks know nothing of each other.",
        breaks=changed(NGINX_BASE, _HASH, "hash $path_session consistent;"),
        holds=NGINX_BASE,
        flaws=(7,),
    ),
    Rule(
        id="nginx-session-key-misses-prefix",
        title="A prefix that is stripped is not in the session key's pattern",
        severity=Severity.WARNING,
        program=Program.NGINX,
        check=_prefix,
        cure="put the prefix into the map's pattern: ~^(?:/api/v1)?/sessions/…",
        why="The key is made from the client's path, with the prefix in it: /api/v1/sessions/ID "
        "reached its owner in 33 %.",
        breaks=changed(
            NGINX_BASE,
            "        location / {\n",
            "        location /api/v1/ {\n            proxy_pass http://kato/;\n        }\n"
            "        location / {\n",
        ),
        holds=changed(
            changed(NGINX_BASE, '"~^/sessions/', '"~^(?:/api/v1)?/sessions/'),
            "        location / {\n",
            "        location /api/v1/ {\n            proxy_pass http://kato/;\n        }\n"
            "        location / {\n",
        ),
        flaws=(6,),
    ),
)
