"""Hostile text is refused, or written so that it stays text."""

from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from nginx_tree import read

from kato_balancing import nginx, nginx_syntax
from kato_balancing.fields import Affinity, Balancing
from kato_balancing.model import Balancer
from kato_balancing.nginx_syntax import block, directive
from kato_balancing.problems import InvalidInput
from kato_balancing.targets import UnsupportedFeature

OLD, NEW = (1, 22, 0), (1, 30, 4)

HOSTILE = st.text(
    st.one_of(
        st.sampled_from(list(";{}#$\\\"'`()[]|&*?~^%@=<> /.:-_\t\n\r\0\x1b\x7f\x85\u2028")),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)
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
        "affinity": {"affinity": text},
        "balancing": {"balancing": text},
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
    "name": "kato-9",
    "host": "kato-9",
    "private": "/x",
    "resolver": "192.0.2.53",
    "discovery": "kato.local",
    "service": "http",
    "cookie": "route",
    "certificate": "/c.pem",
    "key": "/k.pem",
    "proxy": "10.0.0.0/8",
    "region": "eu",
    "other region": "us",
    "region url": "https://us.example.com",
    "authorities": "/c.pem",
    "socket": "/run/socket",
}
LEAVES = [
    *("affinity", "balancing", "certificate", "cookie", "discovery", "host", "key", "name"),
    *("private", "probe", "proxy", "resolver", "service", "socket"),
]


@settings(deadline=None, max_examples=400, derandomize=True)
@given(leaf=st.sampled_from(LEAVES), text=NEAR_MISS)
def test_text_never_becomes_a_directive(leaf: str, text: str) -> None:
    try:
        written = nginx.render(Balancer.of(_settings(leaf, text)), NEW)
    except (InvalidInput, UnsupportedFeature):
        return
    if leaf in BENIGN:
        expected = nginx.render(Balancer.of(_settings(leaf, BENIGN[leaf])), NEW)
        assert read(written).shape == read(expected).shape
    else:
        assert text in (*Affinity, *Balancing)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(words=st.lists(HOSTILE.filter(lambda word: not nginx_syntax._FORBIDDEN.search(word))))
@example(words=["\"'", "a\"b'c d;", "\\", '\\"', "a\\\\'\"", "", "#", "${x}", "{", "}"])
def test_a_quoted_argument_is_read_back_as_it_was(words: list[str]) -> None:
    text = nginx_syntax.text(
        [block("outer", inside=[directive("inner", *words), directive("last")])]
    )

    outer = read(text).one("outer")
    assert [node.name for node in outer.block or ()] == ["inner", "last"]
    assert outer.one("inner").arguments == tuple(words)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(text=st.text(max_size=10), control=st.sampled_from([*map(chr, range(32)), "\x7f"]))
def test_a_control_character_is_never_written(text: str, control: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        nginx_syntax.quote(text + control)


TIMES = st.floats(0.01, 4.9)


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    """Settings that are mostly accepted."""
    count = draw(st.integers(1, 6))
    flags = st.sampled_from([{}, {}, {"backup": True}, {"draining": True}])
    servers = [
        {
            "name": f"s{i}",
            "host": draw(st.sampled_from([f"kato-{i}", f"192.0.2.{i}", f"2001:db8::{i}"])),
            "port": draw(st.integers(1, 65535)),
            "weight": draw(st.integers(1, 100)),
            **draw(flags),
        }
        for i in range(count)
    ]
    return {
        "pool": {"servers": servers},
        "affinity": draw(st.sampled_from(["SESSION", "CLIENT_IP", "NONE"])),
        "balancing": draw(st.sampled_from(["ROUND_ROBIN", "LEAST_CONNECTIONS"])),
        "process": {"connection_limit": draw(st.integers(500, 65535))},
        "health": {"passive": {"failures": draw(st.integers(1, 9)), "window": draw(TIMES)}},
        "limits": {
            "workers": draw(st.integers(1, 3)),
            "websockets": draw(st.integers(0, 60)),
            "requests": draw(st.one_of(st.none(), st.integers(1, 100))),
        },
        "keep_alive": {"idle": draw(TIMES)},
        "retry": {"tries": draw(st.integers(1, 4))},
        "drain": {"seconds": draw(TIMES)},
        "access_log": draw(st.booleans()),
        "reveal_servers": draw(st.booleans()),
        "private_paths": draw(st.lists(st.sampled_from(["/a", "/b.c", "/d~e", "/f/"]))),
    }


@settings(deadline=None, max_examples=100, derandomize=True)
@given(data=models(), looked_up=st.booleans())
def test_every_accepted_model_is_rendered(data: dict[str, Any], looked_up: bool) -> None:
    version = NEW if looked_up else OLD
    resolver = {"resolver": {"address": "127.0.0.11"}} if looked_up else {}
    try:
        balancer = Balancer.of({**data, **resolver})
    except InvalidInput:
        assume(False)
        raise
    http = read(nginx.render(balancer, version)).one("http")

    written = {
        node.arguments[0] for upstream in http.all("upstream") for node in upstream.all("server")
    }
    assert len(written) == len(balancer.pool.servers)
    assert len(http.all("server")) == 2
