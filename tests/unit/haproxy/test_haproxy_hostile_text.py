"""Hostile text is refused, or written so that it stays text."""

from typing import Any

import pytest
from haproxy_lines import read, split
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kato_balancing import haproxy, haproxy_syntax
from kato_balancing.haproxy_syntax import line, section
from kato_balancing.model import Balancer
from kato_balancing.problems import InvalidInput
from kato_balancing.targets import UnsupportedFeature

OLD, NEW = (2, 6, 12), (3, 2, 26)

HOSTILE = st.text(
    st.one_of(
        st.sampled_from(list(";{}#$\\\"'`()[]|&*?~^%@=<> /.:-_\t\n\r\0\x1b\x7f\x85\u2028")),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)
HARMLESS = HOSTILE.filter(lambda word: not haproxy_syntax._FORBIDDEN.search(word))
NEAR_MISS = st.builds(
    lambda before, middle, after: before + middle + after,
    st.sampled_from(["", "kato", "/status", "10.0.0.0"]),
    HOSTILE,
    st.sampled_from(["", "kato", "/8", "\n", "a" * 300]),
)
SERVER = {"name": "kato-0", "host": "kato-0"}


def _settings(leaf: str, text: str) -> dict[str, Any]:
    server = {**SERVER, leaf: text} if leaf in ("name", "host") else SERVER
    others: dict[str, dict[str, Any]] = {
        "private": {"private_paths": [text]},
        "resolver": {"resolver": {"address": text}},
        "discovery": {"pool": {"discovery": {"name": text}}},
        "service": {"pool": {"discovery": {"name": "kato", "service": text}}},
        "cookie": {"affinity": "COOKIE", "cookie": {"name": text}},
        "certificate": {"tls": {"certificate": text, "key": "/k"}},
        "key": {"tls": {"certificate": "/c", "key": text}},
        "probe": {"health": {"active": {"path": text}}},
        "proxy": {"listener": {"trusted_proxies": [text]}},
        "socket": {"log_socket": text},
    }
    return {
        "pool": {"servers": [server]},
        "resolver": {"address": "127.0.0.11"},
        **others.get(leaf, {}),
    }


BENIGN = {
    "certificate": "/c.pem", "cookie": "c", "discovery": "kato-9", "host": "kato-9",
    "key": "/k.pem", "name": "kato-9", "private": "/x", "probe": "/x", "proxy": "10.0.0.0/8",
    "region": "eu", "other region": "us", "region url": "https://us.example.com",
    "authorities": "/c.pem",
    "resolver": "192.0.2.53", "service": "http", "socket": "/run/socket",
}  # fmt: skip


def _shape(text: str) -> list[tuple[str, list[tuple[str, int]]]]:
    """Keywords and numbers of words, which no value may change."""
    return [
        (part.words[0], [(words[0], len(words)) for words in part.lines]) for part in read(text)
    ]


@settings(deadline=None, max_examples=500, derandomize=True)
@given(leaf=st.sampled_from(sorted(BENIGN)), text=NEAR_MISS)
def test_text_never_becomes_a_keyword(leaf: str, text: str) -> None:
    try:
        written = haproxy.render(Balancer.of(_settings(leaf, text)), NEW)
    except (InvalidInput, UnsupportedFeature):
        return
    if leaf == "private":
        assume(text.strip("/.") != "")
    expected = haproxy.render(Balancer.of(_settings(leaf, BENIGN[leaf])), NEW)
    if leaf in ("host", "certificate", "key"):
        # An address needs no resolver, and a key beside its certificate no store.
        assert len(read(written)) in (len(read(expected)), len(read(expected)) - 1)
    else:
        assert _shape(written) == _shape(expected)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(
    words=st.lists(HOSTILE.filter(lambda w: not haproxy_syntax._FORBIDDEN.search(w)), max_size=9)
)
def test_a_quoted_word_is_read_back_as_it_was(words: list[str]) -> None:
    text = haproxy_syntax.text([section("backend", "x", inside=[line("a", *words), line("last")])])

    [found] = read(text)
    assert found.lines == [["a", *words], ["last"]]


@settings(deadline=None, max_examples=50, derandomize=True)
@given(text=st.text(max_size=10), control=st.sampled_from([*map(chr, range(32)), "\x7f"]))
def test_a_control_character_is_never_written(text: str, control: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        haproxy_syntax.quote(text + control)


def test_a_line_that_haproxy_would_cut_is_never_written() -> None:
    with pytest.raises(ValueError, match="70 words"):
        haproxy_syntax.text([section("backend", inside=[line(*"a" * 70)])])


def test_the_reader_of_these_tests_reads_as_haproxy_does() -> None:
    assert split("a 'b  c' d\\ e \"f\\\"g\" h'i'j '' # k") == ["a", "b  c", "d e", 'f"g', "hij", ""]


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    """Settings that are mostly accepted."""
    flags = st.sampled_from([{}, {}, {"backup": True}, {"draining": True}])
    servers = [
        {
            "name": f"s{i}",
            "host": draw(st.sampled_from([f"kato-{i}", f"192.0.2.{i}", f"2001:db8::{i}"])),
            "port": draw(st.integers(1, 65535)),
            "weight": draw(st.integers(1, 100)),
            **draw(flags),
        }
        for i in range(draw(st.integers(1, 6)))
    ]
    time = st.floats(0.01, 4.9)
    return {
        "pool": {"servers": servers},
        "affinity": draw(st.sampled_from(["SESSION", "CLIENT_IP", "COOKIE", "NONE"])),
        "balancing": draw(st.sampled_from(["ROUND_ROBIN", "LEAST_CONNECTIONS"])),
        "process": {"connection_limit": draw(st.integers(500, 65535))},
        "health": {"passive": {"failures": draw(st.integers(1, 9))}},
        "limits": {
            "workers": draw(st.integers(1, 3)),
            "websockets": draw(st.integers(0, 60)),
            "requests": draw(st.one_of(st.none(), st.integers(2, 100))),
        },
        "keep_alive": {"idle": draw(time)},
        "retry": {"tries": draw(st.integers(1, 4))},
        "drain": {"seconds": draw(time)},
        "access_log": draw(st.booleans()),
        "reveal_servers": draw(st.booleans()),
        "private_paths": draw(st.lists(st.sampled_from(["/a", "/b.c", "/d~e", "/f/"]))),
        "resolver": draw(st.sampled_from([None, {"address": "127.0.0.11"}])),
    }


@settings(deadline=None, max_examples=150, derandomize=True)
@given(data=models(), version=st.sampled_from([OLD, NEW]))
def test_every_accepted_model_is_rendered(data: dict[str, Any], version: Any) -> None:
    try:
        balancer = Balancer.of(data)
    except InvalidInput:
        assume(False)
        raise
    text = haproxy.render(balancer, version)

    for part in read(text):
        if part.words[0] != "backend":
            continue
        servers = [words for words in part.lines if words[0] == "server"]
        assert [words[1] for words in servers] == [s.name for s in balancer.pool.servers]
        ids = [words[words.index("id") + 1] for words in servers]
        assert len(set(ids)) == len(ids)
        weights = [int(words[words.index("weight") + 1]) for words in servers]
        assert 1 <= min(weights) <= max(weights) <= 256
    assert "hash-balance-factor" not in text
