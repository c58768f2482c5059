"""What the rendered file says, read back by an independent parser."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from nginx_tree import Node, read

from kato_balancing import kato, nginx
from kato_balancing.model import Balancer
from kato_balancing.nginx_pools import ring_weights

NEW = (1, 30, 4)
SPARE = {"name": "spare", "host": "spare", "backup": True}
SERVERS: list[dict[str, Any]] = [{"name": f"kato-{i}", "host": f"kato-{i}"} for i in range(3)]
RESOLVER = {"resolver": {"address": "127.0.0.11"}}


def _http(balancer: Balancer) -> Node:
    return read(nginx.render(balancer, NEW)).one("http")


def _text_or_refusal(make: Callable[[], Balancer]) -> str:
    try:
        return nginx.render(make(), NEW)
    except ValueError as refusal:
        return str(refusal)


def _servers(http: Node) -> tuple[Node, Node]:
    public, private = http.all("server")
    return public, private


def _upstream(http: Node, name: str) -> list[str]:
    return [node.words for node in http.one("upstream", name).block or ()]


def test_a_session_is_hashed_on_a_ring_of_looked_up_servers(
    make: Callable[..., Balancer],
) -> None:
    http = _http(make(SERVERS, **RESOLVER))

    assert [node.arguments[0] for node in http.all("upstream")] == ["kato"]
    assert _upstream(http, "kato") == [
        "zone kato 1m",
        "hash $kato_session consistent",
        "server kato-0:8000 weight=64 max_fails=2 fail_timeout=5s resolve",
        "server kato-1:8000 weight=64 max_fails=2 fail_timeout=5s resolve",
        "server kato-2:8000 weight=64 max_fails=2 fail_timeout=5s resolve",
        "keepalive 64",
        "keepalive_timeout 4s",
    ]
    assert http.one("resolver").arguments == ("127.0.0.11", "valid=1s", "ipv6=off")


def test_without_affinity_weights_and_backup_are_plain_server_options(
    make: Callable[..., Balancer],
) -> None:
    http = _http(
        make(
            [{**SERVERS[0], "weight": 3}, SERVERS[1], SPARE],
            affinity="NONE",
            balancing="LEAST_CONNECTIONS",
        )
    )

    assert _upstream(http, "kato") == [
        "zone kato 1m",
        "least_conn",
        "server kato-0:8000 weight=3 max_fails=2 fail_timeout=5s",
        "server kato-1:8000 weight=1 max_fails=2 fail_timeout=5s",
        "server spare:8000 weight=1 max_fails=2 fail_timeout=5s backup",
        "keepalive 64",
        "keepalive_timeout 4s",
    ]


def test_round_robin_names_no_method(make: Callable[..., Balancer]) -> None:
    http = _http(make(SERVERS, affinity="NONE"))

    names = {node.name for node in http.one("upstream", "kato").block or ()}
    assert names == {"zone", "server", "keepalive", "keepalive_timeout"}


def test_requests_without_a_session_can_have_a_method_of_their_own(
    make: Callable[..., Balancer],
) -> None:
    http = _http(make(SERVERS, balancing="LEAST_CONNECTIONS"))
    public, _ = _servers(http)

    assert [n.words for n in http.one("map", "$kato_session", "$kato_target").block or ()] == [
        " kato_spread",
        "default kato",
    ]
    assert "least_conn" in _upstream(http, "kato_spread")
    assert "hash $kato_session consistent" in _upstream(http, "kato")
    assert public.one("location", "/").one("proxy_pass").arguments == ("http://$kato_target",)


def test_backup_servers_of_a_ring_have_a_ring_of_their_own(make: Callable[..., Balancer]) -> None:
    http = _http(make([*SERVERS, SPARE]))
    public, _ = _servers(http)
    backup = public.one("location", "@backup")

    assert [line for line in _upstream(http, "kato_backup") if line.startswith("server")] == [
        "server spare:8000 weight=64 max_fails=2 fail_timeout=5s"
    ]
    assert not [line for line in _upstream(http, "kato") if "spare" in line]
    assert public.one("error_page", "502").arguments == ("502", "504", "=", "@backup")
    assert [node.words for node in backup.walk()] == [
        "if $kato_final = 502",
        "return 502",
        "if $kato_final = 504",
        "return 504",
        "limit_conn kato_requests 313",
        "proxy_pass http://kato_backup",
    ]


def test_a_post_that_was_sent_never_reaches_a_backup_server(make: Callable[..., Balancer]) -> None:
    http = _http(make([*SERVERS, SPARE]))
    final = http.one("map", "$kato_idempotent$kato_sent:$upstream_status", "$kato_final")
    idempotent = http.one("map", "$request_method", "$kato_idempotent")

    rules = [(re.compile(node.name[1:]), node.arguments[0]) for node in (final.block or ())[:-1]]
    seen = {
        text: next((status for rule, status in rules if rule.search(text)), "")
        for text in ("00:502", "10:502", "01:502", "01:502, 504", "11:502", "11:504", "10:504, 502")
    }
    assert seen == {
        # nothing was sent, or the request may be repeated: a backup server is asked
        "00:502": "",
        "10:502": "",
        "11:502": "",
        "10:504, 502": "",
        # a POST that was sent, and an answer that was waited for
        "01:502": "502",
        "01:502, 504": "504",
        "11:504": "504",
    }
    assert [node.words for node in idempotent.block or ()] == [
        "~^(?:GET|HEAD|OPTIONS)$ 1",
        "default 0",
    ]


def test_what_an_address_change_stopped_is_asked_again(make: Callable[..., Balancer]) -> None:
    canary = {"pool": {"servers": [{"name": "c", "host": "c"}]}, "share": 5}
    http = _http(make(SERVERS, **RESOLVER, canary=canary, balancing="LEAST_CONNECTIONS"))
    public, _ = _servers(http)
    rule, default = http.one("map", "$upstream_addr", "$kato_fallback").block or ()
    events = public.one("location", "=")

    assert (rule.arguments, default.words) == (("@again",), "default @failed")
    assert [node.words for node in public.one("location", "/").all("error_page")] == [
        "error_page 503 @busy",
        "error_page 502 = $kato_fallback",
    ]
    assert [node.words for node in public.one("location", "@again").walk()] == [
        "proxy_pass http://$kato_target"
    ]
    assert events.all("error_page") == []
    upstreams = {node.arguments[0] for node in http.all("upstream")}
    assert len(upstreams) == 4
    again = {
        *(f"10.0.0.1:8000, {name}" for name in upstreams),
        "10.0.0.1:8000, 10.0.0.2:8000, kato",
    }
    # A server that answered, and an upstream of which nobody could be asked.
    final = {"10.0.0.1:8000", "10.0.0.1:8000, 10.0.0.2:8000", "", *upstreams}
    pattern = re.compile(rule.name.removeprefix("~"))
    assert {text for text in again | final if pattern.search(text)} == again


def test_addresses_that_stay_need_no_second_way(make: Callable[..., Balancer]) -> None:
    for servers, more in ((SERVERS, {}), ([*SERVERS, SPARE], RESOLVER)):
        public, _ = _servers(_http(make(servers, **more)))
        assert "@again" not in [node.arguments[0] for node in public.all("location")]


def test_a_retry_never_covers_a_post(make: Callable[..., Balancer]) -> None:
    public, _ = _servers(_http(make()))

    assert public.one("proxy_next_upstream").arguments == ("error", "timeout")
    assert "non_idempotent" not in nginx.render(make(), NEW)


def test_a_draining_server_stays_on_the_list_and_gets_nothing(
    make: Callable[..., Balancer],
) -> None:
    http = _http(make([*SERVERS[:2], {**SERVERS[2], "draining": True}]))

    assert _upstream(http, "kato")[4].split()[1:] == [
        "kato-2:8000",
        "weight=64",
        "max_fails=2",
        "fail_timeout=5s",
        "down",
    ]


def test_servers_keep_their_order_and_their_share(make: Callable[..., Balancer]) -> None:
    weights = [3, 1, 100, 7]
    servers = [
        {"name": f"s{i}", "host": f"192.0.2.{9 - i}", "weight": weight}
        for i, weight in enumerate(weights)
    ]
    http = _http(make(servers))

    found = [node.arguments for node in http.one("upstream", "kato").all("server")]
    assert [words[0] for words in found] == [f"192.0.2.{9 - i}:8000" for i in range(4)]
    assert [words[1] for words in found] == ["weight=6", "weight=2", "weight=200", "weight=14"]


@pytest.mark.parametrize(
    ("weights", "units"),
    [
        ((1, 1), (64, 64)),
        ((4, 1), (256, 64)),
        ((5, 1), (255, 51)),
        ((100, 100), (200, 200)),
        ((100, 1), (200, 2)),
    ],
)
def test_units_on_the_ring_are_bounded(
    make: Callable[..., Balancer], weights: tuple[int, ...], units: tuple[int, ...]
) -> None:
    servers = [{"name": f"s{i}", "host": f"h{i}", "weight": w} for i, w in enumerate(weights)]

    assert tuple(ring_weights(make(servers).pool).values()) == units


def test_addresses_are_not_looked_up_and_ipv6_has_brackets(make: Callable[..., Balancer]) -> None:
    http = _http(
        make([{"name": "a", "host": "2001:db8::1"}, {"name": "b", "host": "b"}], **RESOLVER)
    )

    first, second = http.one("upstream", "kato").all("server")
    assert first.arguments[0] == "[2001:db8::1]:8000"
    assert "resolve" not in first.arguments
    assert second.arguments[-1] == "resolve"


@pytest.mark.parametrize(("affinity", "asked"), [("SESSION", None), ("NONE", 50)])
def test_the_request_budget_is_a_limit(
    affinity: str, asked: int | None, make: Callable[..., Balancer]
) -> None:
    http = _http(make(affinity=affinity, limits={"requests": asked}))
    public, _ = _servers(http)

    limit = public.one("location", "/").one("limit_conn").arguments
    assert limit == ("kato_requests", str(asked or 313))
    assert http.one("limit_conn_status").arguments == ("503",)


def test_websockets_have_their_own_limit_and_time(make: Callable[..., Balancer]) -> None:
    public, _ = _servers(_http(make(limits={"websockets": 7}, timeouts={"websocket": 90})))
    location = public.one("location", "=", kato.WEBSOCKET_PATH)

    assert location.one("limit_conn").arguments == ("kato_websockets", "7")
    assert location.one("proxy_set_header", "Upgrade").arguments == ("Upgrade", "$http_upgrade")
    assert location.one("proxy_read_timeout").arguments == ("90s",)


def test_a_limit_of_no_websockets_lets_none_through(make: Callable[..., Balancer]) -> None:
    public, _ = _servers(_http(make(limits={"websockets": 0})))
    locations = [node for node in public.all("location") if kato.WEBSOCKET_PATH in node.arguments]

    passing = [node for location in locations for node in location.all("proxy_pass")]
    assert locations
    assert not passing


@pytest.mark.parametrize("setting", ["health.passive.window", "resolver.valid"])
def test_a_time_that_nginx_reads_in_whole_seconds_is_written_so(
    setting: str, make: Callable[..., Balancer]
) -> None:
    changed = {
        "health.passive.window": {"health": {"passive": {"window": 2.5}}, **RESOLVER},
        "resolver.valid": {"resolver": {"address": "127.0.0.11", "valid": 2.5}},
    }[setting]
    text = _text_or_refusal(lambda: make(SERVERS, **changed))

    written = text.replace(";", " ").split()
    times = [word for word in written if word.startswith(("fail_timeout=", "valid="))]
    assert times or text.startswith(setting)
    assert not [time for time in times if time.endswith("ms")]


def test_a_time_too_short_to_write_never_becomes_none(make: Callable[..., Balancer]) -> None:
    text = _text_or_refusal(lambda: make(keep_alive={"idle": 0.0004}))

    assert "keepalive_timeout 0" not in text
    assert "keepalive_timeout" in text or text.startswith("keep_alive.idle")


def test_the_server_is_named_only_to_who_asks(make: Callable[..., Balancer]) -> None:
    http = _http(make(reveal_servers=True))
    public, _ = _servers(http)

    reveal = http.one("map", "$http_x_kato_reveal", "$kato_reveal")
    assert [node.words for node in reveal.block or ()] == ["server $upstream_addr", "default "]
    assert public.one("add_header").arguments == ("X-Kato-Server", "$kato_reveal", "always")
    assert "$upstream_addr" not in nginx.render(make(access_log=False), NEW)


def test_the_clients_session_header_is_passed_on_as_it_is(make: Callable[..., Balancer]) -> None:
    root = read(nginx.render(make(), NEW))

    set_headers = {n.arguments[0] for n in root.walk() if n.name == "proxy_set_header"}
    assert "X-Session-ID" not in set_headers
    assert {"Host", "X-Forwarded-For", "X-Real-IP", "Connection"} <= set_headers


def test_the_clients_address_can_not_be_claimed(make: Callable[..., Balancer]) -> None:
    root = read(nginx.render(make(), NEW))

    claimed = {n.arguments for n in root.walk() if n.arguments[:1] == ("X-Forwarded-For",)}
    assert claimed == {("X-Forwarded-For", "$remote_addr")}


def test_operators_have_a_server_of_their_own(make: Callable[..., Balancer]) -> None:
    public, private = _servers(_http(make(listener={"port": 80, "private_port": 81})))

    assert public.one("listen").arguments == ("80", "default_server")
    assert private.one("listen").arguments == ("81",)
    assert private.one("location", "=", nginx.HEALTH_PATH).one("return").arguments == ("200", "ok")
    assert not [n for n in public.walk() if n.name == "stub_status"]


def test_no_request_is_written_without_an_access_log(make: Callable[..., Balancer]) -> None:
    http = _http(make(access_log=False))

    assert http.one("access_log").arguments == ("off",)
    assert not http.all("log_format")


def test_the_access_log_is_one_json_object(make: Callable[..., Balancer]) -> None:
    form = _http(make()).one("log_format").arguments

    assert form[:2] == ("kato", "escape=json")
    assert {"session", "upstream", "status", "seconds"} <= set(json.loads(form[2]))


def test_the_reload_minimum_is_written_where_nginx_has_it(make: Callable[..., Balancer]) -> None:
    has = read(nginx.render(make(), (1, 27, 4))).one("http").all("keepalive_min_timeout")
    older = read(nginx.render(make(), (1, 27, 3))).one("http").all("keepalive_min_timeout")

    assert [node.arguments for node in has] == [("10s",)]
    assert older == []
