"""Rules on HAProxy's cookie stickiness."""

from collections.abc import Iterator
from typing import Final

from kato_balancing import kato
from kato_balancing.lint.amounts import haproxy_seconds
from kato_balancing.lint.findings import Hit, Severity
from kato_balancing.lint.haproxy_base import HAPROXY_BASE
from kato_balancing.lint.haproxy_tree import HaproxyTree, Line, Section
from kato_balancing.lint.rule import Program, Rule, changed

_HASHED: Final = "    balance hash var(txn.session)\n    hash-type consistent crc32 avalanche\n"
_COOKIE: Final = "    cookie route insert indirect nocache httponly attr SameSite=Lax\n"
_BASE: Final = (
    changed(HAPROXY_BASE, _HASHED, "    balance roundrobin\n" + _COOKIE)
    .replace("id 1001", "id 1001 cookie a81f")
    .replace("id 1002", "id 1002 cookie 7c20")
)


def _cookie(backend: Section) -> Line | None:
    return backend.effective("cookie")


def _flags(tree: HaproxyTree) -> Iterator[Hit]:
    tls = any("ssl" in line.words for section in tree.entrances for line in section.all("bind"))
    for section in tree.of("backend", "listen", "defaults"):
        for line in section.all("cookie"):
            if "insert" not in line.words:
                continue
            missing = [word for word in ("httponly", *(["secure"] if tls else []))
                       if word not in line.words]  # fmt: skip
            if not any(word.lower().startswith("samesite=") for word in line.words):
                missing.append("attr SameSite=…")
            if missing:
                yield line.place, f"the routing cookie lacks {', '.join(missing)}"


def _domain(tree: HaproxyTree) -> Iterator[Hit]:
    for section in tree.of("backend", "listen", "defaults"):
        for line in section.all("cookie"):
            domain = line.after("domain")
            if domain is not None:
                yield line.place, f"the routing cookie goes to all of {domain}"


def _expires(tree: HaproxyTree) -> Iterator[Hit]:
    for section in tree.of("backend", "listen", "defaults"):
        for line in section.all("cookie"):
            for word in ("maxidle", "maxlife"):
                seconds = haproxy_seconds(_as_seconds(line.after(word) or ""))
                if seconds is not None and seconds < kato.SESSION_TTL_SECONDS:
                    yield line.place, f"{word}: the cookie is not believed after {seconds:g} s"


def _as_seconds(text: str) -> str:
    """Here, unlike elsewhere, a number without a unit is seconds."""
    return f"{text}s" if text.isdigit() else text


def _incomplete(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        has = _cookie(backend) is not None
        for server in backend.servers:
            own = "cookie" in server.parameters
            if has and not own and not server.is_template and "backup" not in server.parameters:
                yield server.line.place, f"server {server.name} has no cookie in {backend.title}"
            if own and not has:
                yield server.line.place, f"server {server.name} has a cookie, {backend.title} none"


def _twice(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        seen: dict[str, str] = {}
        for server in backend.servers:
            value = server.parameters.get("cookie")
            if value and value in seen:
                yield server.line.place, f"server {server.name} has the cookie of {seen[value]}"
            if value:
                seen.setdefault(value, server.name)


def _shows(tree: HaproxyTree) -> Iterator[Hit]:
    for backend in tree.backends:
        for server in backend.servers:
            value = server.parameters.get("cookie")
            if value and value in (server.address, server.host):
                yield server.line.place, f"the cookie {value} is the server's address"


RULES: Final[tuple[Rule[HaproxyTree], ...]] = (
    Rule(
        id="haproxy-cookie-flags",
        title="The routing cookie is open to scripts or other sites",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_flags,
        cure="add httponly attr SameSite=Lax, and secure where clients use TLS",
        why="HAProxy sets none of them by itself.",
        breaks=changed(_BASE, " httponly attr SameSite=Lax", ""),
        holds=_BASE,
        flaws=(2,),
    ),
    Rule(
        id="haproxy-cookie-domain",
        title="The routing cookie goes to every sub-domain",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_domain,
        cure="leave domain out: the cookie then belongs to this host only",
        why="Every other service below that domain receives it and can set it.",
        breaks=changed(_BASE, " httponly", " httponly domain .example.com"),
        holds=_BASE,
        flaws=(3,),
    ),
    Rule(
        id="haproxy-cookie-expires-early",
        title="The routing cookie is forgotten before the session",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_expires,
        cure="write maxidle 2h, or leave maxidle and maxlife out",
        why="KATO's sessions live for an hour after their last use; a live session whose cookie is "
        "no longer believed goes to any server.",
        breaks=changed(_BASE, " httponly", " maxidle 10m httponly"),
        holds=_BASE,
    ),
    Rule(
        id="haproxy-cookie-incomplete",
        title="The cookie is missing on one side",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_incomplete,
        cure="write cookie at the backend and a value at each of its servers, or neither",
        why="Sessions of a server without a value stick to nothing; a value without the backend's "
        "cookie line is ignored. haproxy -c says nothing of either.",
        breaks=changed(_BASE, " cookie 7c20", ""),
        holds=_BASE,
    ),
    Rule(
        id="haproxy-cookie-twice",
        title="Two servers share one cookie value",
        severity=Severity.ERROR,
        program=Program.HAPROXY,
        check=_twice,
        cure="give every server a value of its own",
        why="The first of them gets all the sessions of both; haproxy -c says nothing.",
        breaks=changed(_BASE, "cookie 7c20", "cookie a81f"),
        holds=_BASE,
    ),
    Rule(
        id="haproxy-cookie-shows-address",
        title="The cookie tells the server's address",
        severity=Severity.WARNING,
        program=Program.HAPROXY,
        check=_shows,
        cure="use an opaque value",
        why="Every client learns the addresses behind the balancer.",
        breaks=changed(_BASE, "cookie 7c20", "cookie kato-1:8000"),
        holds=_BASE,
        flaws=(3,),
    ),
)
