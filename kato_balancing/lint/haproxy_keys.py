"""The key that a HAProxy backend keeps sessions together by, tried with sample requests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kato_balancing.lint import sample_requests as sample
from kato_balancing.lint.haproxy_tree import HaproxyTree, Line, Section
from kato_balancing.lint.haproxy_values import NotKnown, Transaction, backends_of, expression, run
from kato_balancing.lint.sample_requests import Sample

DEFAULT_METHOD: Final = "roundrobin"
HASHES: Final = ("hash", "source", "uri", "url_param", "hdr", "rdp-cookie")
ADDRESSES: Final = ("src",)


@dataclass(frozen=True, eq=False)
class Key:
    """What a backend hashes or looks up; ``place`` is the line that says so."""

    backend: Section
    line: Line
    text: str

    @property
    def is_address(self) -> bool:
        """True for the client's address."""
        return re.split(r"[,(]", self.text)[0] in ADDRESSES


def method(backend: Section) -> tuple[str, Line | None]:
    """The balancing method's name and its line, if there is one."""
    line = backend.effective("balance")
    if line is None or len(line.words) < 2:
        return DEFAULT_METHOD, line
    return line.words[1].partition("(")[0], line


def is_consistent(backend: Section) -> bool:
    """True when the backend hashes on a ring."""
    line = backend.effective("hash-type")
    name, _ = method(backend)
    return name in HASHES and line is not None and line.words[1:2] == ("consistent",)


def keys(tree: HaproxyTree) -> Iterator[Key]:
    """The keys of every backend, of its hash and of its table."""
    for backend in tree.backends:
        name, line = method(backend)
        if line is not None and name in HASHES:
            yield Key(backend, line, _hashed(line))
        for stick in (*backend.all("stick", "on"), *backend.all("stick", "match")):
            if len(stick.words) > 2:
                yield Key(backend, stick, stick.words[2])


def _hashed(line: Line) -> str:
    algorithm = line.words[1]
    if algorithm == "hash":
        cut = [word for word in line.words[2:] if word not in ("if", "unless")]
        return " ".join(cut[:1])
    if algorithm == "source":
        return "src"
    if algorithm == "uri":
        return "pathq" if "whole" in line.words else "path"
    return f"req.{algorithm}" if algorithm.startswith("hdr(") else algorithm


def value(tree: HaproxyTree, key: Key, request: Sample) -> str | None:
    """The key's value for a request, None when there is none. Raises NotKnown."""
    found: set[str | None] = set()
    for entrance in entrances_of(tree, key.backend):
        passed = _ran(entrance, request)
        transaction = Transaction(request, dict(passed.variables), passed.answered, passed.steps)
        if key.backend is not entrance:
            run(key.backend, transaction)
        found.add(expression(key.text, transaction))
    if not found and not re.search(r"\bvar\(", key.text):
        found.add(expression(key.text, Transaction(request)))
    if len(found) != 1:
        raise NotKnown
    return found.pop()


@lru_cache(maxsize=1024)
def _ran(entrance: Section, request: Sample) -> Transaction:
    transaction = Transaction(request)
    run(entrance, transaction)
    return transaction


@lru_cache(maxsize=4)
def _reached(tree: HaproxyTree) -> dict[str, list[Section]]:
    found: dict[str, list[Section]] = {}
    for entrance in tree.entrances:
        names = {line.words[1] for line in entrance.all("use_backend") if len(line.words) > 1}
        default = entrance.effective("default_backend")
        if default is not None and len(default.words) > 1:
            names.add(default.words[1])
        if entrance.servers:
            names.add(entrance.name)
        for name in names:
            found.setdefault(name, []).append(entrance)
    return found


def entrances_of(tree: HaproxyTree, backend: Section) -> list[Section]:
    """The sections that listen and may pass requests on to the backend."""
    return _reached(tree).get(backend.name, [])


def no_session(tree: HaproxyTree, key: Key) -> str | None:
    """Why the key does not tell sessions apart, None when it does or is not known."""
    if key.is_address:
        return None
    try:
        own, other = value(tree, key, sample.OWN), value(tree, key, sample.OTHER)
        if not own:
            return f"key {key.text} has no value for {_clip(sample.OWN.target)}"
        if own == other:
            return f"key {key.text} is the same for two different sessions"
        for request in sample.SAME_SESSION:
            if value(tree, key, request) != own:
                return (
                    f"key {key.text} differs between two calls of one session, "
                    f"{_clip(sample.OWN.target)} and {_clip(request.target)}"
                )
    except NotKnown:
        return None
    return None


def session_keys(tree: HaproxyTree) -> Iterator[tuple[Key, str]]:
    """Keys that are a session's, each once, with their value for the sample."""
    seen: set[str] = set()
    for key in keys(tree):
        if key.is_address or key.text in seen or no_session(tree, key) is not None:
            continue
        seen.add(key.text)
        try:
            own = value(tree, key, sample.OWN)
        except NotKnown:
            continue
        if own:
            yield key, own


def other_value(tree: HaproxyTree, key: Key, request: Sample, own: str) -> str | None:
    """The key for a request, ``own`` where it is not known: nothing is then said about it."""
    try:
        return value(tree, key, request)
    except NotKnown:
        return own


def only_without_session(tree: HaproxyTree, backend: Section) -> bool:
    """True when no request with a session reaches the backend."""
    entrances = entrances_of(tree, backend)
    return bool(entrances) and not any(
        backend in backends_of(tree, entrance, _ran(entrance, sample.OWN)) for entrance in entrances
    )


def _clip(text: str) -> str:
    return text.replace(sample.SESSION, "ID").replace(sample.SESSION[1:], "ession-…")


def shown(request: Sample) -> str:
    """The request as a message names it."""
    return _clip(request.target)
