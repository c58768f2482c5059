"""What HAProxy, rendered from a model, does with requests: seen on the oldest and the newest."""

import http.client
import json
import socket
import ssl
import subprocess
import time
from collections import Counter
from typing import Any

import pytest
from balancer_containers import ask
from echo_servers import Echo, echo

from dev.free_ports import free_ports
from kato_balancing import kato
from kato_balancing.model import Balancer
from kato_balancing.placement import ring_of
from kato_balancing.placement.sample import session_ids

VERSIONS = ["haproxy:2.6", "haproxy:3.2"]
NAMES = ("kato-0", "kato-1", "kato-2")
IDS = list(session_ids(60, seed=1))


@pytest.fixture
def echoing():
    with echo(*NAMES, "spare", "spare-2", "canary") as servers:
        yield servers


def model(servers: list[dict[str, object]], **settings: Any) -> Balancer:
    port, private_port = free_ports(2)
    listener = {"port": port, "private_port": private_port, **settings.pop("listener", {})}
    return Balancer.of({"pool": {"servers": servers}, "listener": listener, **settings})


def names_of(answers: list[Any]) -> list[str]:
    return [json.loads(answer.body)["server"] for answer in answers]


@pytest.mark.parametrize("target", VERSIONS)
def test_a_session_is_found_in_every_form_of_its_path(target, echoing: Echo, run):
    balancer = model(echoing.listed(*NAMES))
    ring = ring_of(balancer, "haproxy")
    run(target, balancer)
    port = balancer.listener.port
    expected = [ring.owner(i) for i in IDS]

    for form in (
        "/sessions/{}", "/sessions/{}/stm", "/sessions/{}?x=1", "/sessions/{}/stm?a=/b",
        "//sessions/{}/exists", "/sessions//{}/exists", "/./sessions/{}", "/%73essions/{}/stm",
        "http://kato/sessions/{}/stm", "/sessions/{}%2Fstm", "/sessions/{}/stm?y=%zz",
    ):  # fmt: skip
        found = ask(port, [form.format(i) for i in IDS])
        assert names_of(found) == expected, form
        passed_on = [json.loads(a.body)["request"].split()[1] for a in found]
        assert passed_on == [form.format(i) for i in IDS], "the request is passed on as it came"
    encoded = ask(port, [f"/sessions/%{ord(i[0]):02x}{i[1:]}/stm" for i in IDS])
    assert names_of(encoded) == expected
    for session, owner in zip(IDS, expected, strict=True):
        [answer] = ask(port, ["/observe"], headers=f"X-Session-ID: {session}\r\n")
        assert names_of([answer]) == [owner]
        assert json.loads(answer.body)["headers"]["x-session-id"] == session


@pytest.mark.parametrize("target", VERSIONS)
def test_what_has_no_session_is_spread(target, echoing: Echo, run):
    balancer = model(echoing.listed(*NAMES))
    run(target, balancer)

    for path in ("/sessions", "/sessions/", "/sessions/count", "/sessions/test/x", "/sessions/a.b",
                 f"/sessions/{'a' * 129}", "/root"):  # fmt: skip
        found = Counter(names_of(ask(balancer.listener.port, [path] * 60)))
        assert set(found) == set(NAMES), path
        assert min(found.values()) >= 8, path
    empty = names_of(ask(balancer.listener.port, ["/root"] * 60, headers="X-Session-ID:\r\n"))
    assert set(empty) == set(NAMES)


@pytest.mark.parametrize("target", VERSIONS)
def test_private_paths_bad_paths_and_large_bodies_never_reach_kato(target, echoing: Echo, run):
    balancer = model(echoing.listed(*NAMES), limits={"body_megabytes": 1})
    run(target, balancer)
    port = balancer.listener.port
    hidden = ["/status", "/status/", "/status/x", "/%73tatus", "/stat%75s?x=1", "//status",
              "/./status", "/.//status", "//cache/invalidate", "/cache%2finvalidate",
              "/openapi.json", *kato.PRIVATE_PATHS]  # fmt: skip
    bad = ["/status/%zz", "/status%", "/status#x"]

    assert {a.status for a in ask(port, hidden)} == {404}
    for path in bad:
        assert ask(port, [path])[0].status == 400, path
    assert {a.status for a in ask(port, ["/statusx", "/sessions/status/stm", "/docsx"])} == {200}
    [large] = ask(port, ["/sessions/a/observe"], method="POST",
                  headers=f"Content-Length: {1024 * 1024 + 1}\r\n")  # fmt: skip
    assert large.status == 413
    assert json.loads(large.body)["detail"] == "A body may have 1 MB"
    assert echoing.counts().total() == 3


@pytest.mark.parametrize("target", VERSIONS)
def test_forwarded_headers_say_who_asked(target, echoing: Echo, run):
    spoofed = "X-Forwarded-For: 192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
    plain = model(echoing.listed(*NAMES))
    trusting = model(
        echoing.listed(*NAMES), listener={"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]}
    )
    run(target, plain)
    run(target, trusting)

    def seen(balancer: Balancer, headers: str) -> dict[str, str]:
        [answer] = ask(balancer.listener.port, ["/x"], headers=headers)
        return json.loads(answer.body)["headers"]

    untrusted = seen(plain, spoofed)
    assert untrusted["x-forwarded-for"] == untrusted["x-real-ip"] == "127.0.0.1"
    assert untrusted["x-forwarded-proto"] == "http"
    assert untrusted["x-forwarded-host"] == untrusted["host"] == "kato"
    assert len(untrusted["x-request-id"]) == 32
    assert "connection" not in untrusted
    chain = "X-Forwarded-For: 198.51.100.9, 192.0.2.1, 10.1.1.1\r\nX-Forwarded-Proto: https\r\n"
    trusted = seen(trusting, chain)
    assert trusted["x-forwarded-for"] == trusted["x-real-ip"] == "192.0.2.1"
    assert trusted["x-forwarded-proto"] == "https"


@pytest.mark.parametrize("target", VERSIONS)
def test_client_addresses_are_told_apart_as_a_whole(target, echoing: Echo, run):
    balancer = model(
        echoing.listed(*NAMES),
        affinity="CLIENT_IP",
        listener={"trusted_proxies": ["127.0.0.0/8"]},
    )
    run(target, balancer)
    port = balancer.listener.port

    found = [
        names_of(ask(port, ["/x"] * 3, headers=f"X-Forwarded-For: 192.0.2.{i}\r\n"))
        for i in range(1, 249)
    ]
    assert all(len(set(names)) == 1 for names in found)
    counts = Counter(names[0] for names in found)
    assert set(counts) == set(NAMES)
    assert min(counts.values()) > 50


@pytest.mark.parametrize("target", VERSIONS)
def test_a_cookie_ties_a_client_to_its_server(target, echoing: Echo, run):
    balancer = model(echoing.listed(*NAMES), affinity="COOKIE", cookie={"max_age": 600})
    run(target, balancer)
    port = balancer.listener.port

    seen = set()
    for answer in ask(port, ["/x"] * 12):
        cookie = answer.headers["set-cookie"]
        value = cookie.partition(";")[0]
        assert {"HttpOnly", "SameSite=Lax", "Max-Age=600", "path=/"} <= set(cookie.split("; ")[1:])
        assert "127" not in value
        assert "kato-" not in value
        again = ask(port, ["/y"] * 5, headers=f"Cookie: {value}\r\n")
        assert set(names_of(again)) == set(names_of([answer]))
        assert all("cookie" not in json.loads(a.body)["headers"] for a in again)
        seen.add(value)
    assert len(seen) == 3
    tampered = ask(port, ["/x"] * 30, headers="Cookie: kato_route=../../etc;kato_route=%0d%0a\r\n")
    assert {a.status for a in tampered} == {200}
    assert set(names_of(tampered)) == set(NAMES)


@pytest.mark.parametrize(
    ("target", "key"), [("haproxy:2.6", "/c/kato.pem.key"), ("haproxy:3.2", "/c/other.pem")]
)
def test_tls_is_ended_at_the_balancer(target, key, echoing: Echo, run, tmp_path):
    files = tmp_path / "tls"
    files.mkdir()
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9",
            "-subj", "/CN=kato", "-keyout", files / key[3:], "-out", files / "kato.pem",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    (files / key[3:]).chmod(0o644)
    balancer = model(
        echoing.listed(*NAMES), affinity="COOKIE", tls={"certificate": "/c/kato.pem", "key": key}
    )
    run(target, balancer, files)

    trust = ssl.create_default_context(cafile=str(files / "kato.pem"))
    trust.check_hostname = False
    client = http.client.HTTPSConnection("127.0.0.1", balancer.listener.port, context=trust)
    client.request("GET", "/x", headers={"Host": "kato", "X-Forwarded-Proto": "http"})
    answer = client.getresponse()
    assert answer.status == 200
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")
    assert json.loads(answer.read())["headers"]["x-forwarded-proto"] == "https"
    client.close()


@pytest.mark.parametrize("target", VERSIONS)
def test_weights_are_kept(target, echoing: Echo, run):
    servers = [{**s, "weight": w} for s, w in zip(echoing.listed(*NAMES), (3, 2, 1), strict=True)]
    balancer = model(servers, affinity="NONE", access_log=False)
    run(target, balancer)

    found = Counter(names_of(ask(balancer.listener.port, ["/x"] * 1200)))
    assert [found[name] / 12 for name in NAMES] == pytest.approx([50, 33.3, 16.7], abs=3)


@pytest.mark.parametrize("target", VERSIONS)
def test_backups_serve_only_when_every_primary_is_down(target, echoing: Echo, run):
    servers = [*echoing.listed(*NAMES), *echoing.listed("spare", "spare-2", backup=True)]
    balancer = model(servers)
    run(target, balancer)
    port = balancer.listener.port
    paths = [f"/sessions/{i}/stm" for i in IDS]

    assert set(names_of(ask(port, paths))) == set(NAMES)
    echoing.down("kato-0")
    echoing.down("kato-1")
    assert set(names_of(ask(port, paths))) == {"kato-2"}
    echoing.down("kato-2")
    first = ask(port, ["/sessions/a/observe"], method="POST", headers="Content-Length: 0\r\n")
    assert [a.status for a in first] == [200], "the first try, before any probe has failed"
    found = names_of(ask(port, paths))
    assert set(found) == {"spare", "spare-2"}
    assert names_of(ask(port, paths)) == found, "a session stays on one backup"
    echoing.up("kato-1")
    time.sleep(2.5)
    assert set(names_of(ask(port, paths))) == {"kato-1"}


@pytest.mark.parametrize("target", VERSIONS)
def test_a_post_that_was_sent_is_never_repeated(target, echoing: Echo, run):
    balancer = model(echoing.listed(*NAMES))
    owner = echoing.servers[ring_of(balancer, "haproxy").owner("a") or ""]
    owner.cut_after_reading = True
    run(target, balancer)
    port = balancer.listener.port

    [posted] = ask(port, ["/sessions/a/observe"], method="POST", headers="Content-Length: 0\r\n")
    assert posted.status == 502
    assert echoing.counts().total() == 1
    [read] = ask(port, ["/sessions/a/stm"])
    assert read.status == 200
    assert echoing.counts()[owner.name] == 2
    assert echoing.counts().total() == 3


@pytest.mark.parametrize("target", VERSIONS)
def test_more_than_a_server_may_have_waits_for_that_server(target, echoing: Echo, run):
    balancer = model(echoing.listed(*NAMES), limits={"requests": 4}, retry={"window": 5})
    owner = echoing.servers[ring_of(balancer, "haproxy").owner("a") or ""]
    owner.delay = 0.05
    run(target, balancer)

    found = ask(balancer.listener.port, ["/sessions/a/stm"] * 40, connections=40)
    assert {a.status for a in found} == {200}
    assert owner.most_at_once == 4
    assert len(owner.requests) == 40


@pytest.mark.parametrize("target", VERSIONS)
def test_a_canary_keeps_its_sessions_when_its_share_grows(target, echoing: Echo, run):
    ids = list(session_ids(1500, seed=3))
    found = {}
    for share in (0, 10, 25, 100):
        canary = {"pool": {"servers": echoing.listed("canary")}, "share": share}
        balancer = model(echoing.listed(*NAMES), canary=canary, access_log=False)
        run(target, balancer)
        answers = names_of(ask(balancer.listener.port, [f"/sessions/{i}" for i in ids]))
        found[share] = dict(zip(ids, answers, strict=True))

    on_canary = {s: {i for i in ids if found[s][i] == "canary"} for s in found}
    assert [len(on_canary[s]) for s in (0, 100)] == [0, 1500]
    assert len(on_canary[10]) / 15 == pytest.approx(10, abs=3)
    assert len(on_canary[25]) / 15 == pytest.approx(25, abs=4)
    assert on_canary[10] <= on_canary[25]
    stay = [i for i in ids if i not in on_canary[25]]
    assert all(found[0][i] == found[10][i] == found[25][i] for i in stay)


@pytest.mark.parametrize("target", VERSIONS)
def test_reveal_log_and_the_operators_port(target, echoing: Echo, run):
    balancer = model(echoing.listed(*NAMES), reveal_servers=True)
    container = run(target, balancer)
    port, private = balancer.listener.port, balancer.listener.private_port
    owner = ring_of(balancer, "haproxy").owner("a")

    [asked] = ask(port, ["/sessions/a/stm?q=1"], headers="X-Kato-Reveal: server\r\n")
    assert asked.headers["x-kato-server"] == owner
    [unasked] = ask(port, ['/sessions/a/%22%0a"x'])
    assert "x-kato-server" not in unasked.headers
    for path, status in (
        ("/lb/health", 200),
        ("/lb/status", 200),
        ("/lb/metrics", 200),
        ("/", 404),
    ):
        with socket.create_connection(("127.0.0.1", private), 5) as client:
            client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            answer = client.makefile("rb").read().decode()
        assert answer.split()[1] == str(status), path
    assert "haproxy_server_status" in _metrics(private)
    assert ask(port, ["/lb/status"])[0].status == 200, "clients see KATO's paths only"
    entries = [json.loads(text) for text in container.logs().splitlines() if text.startswith("{")]
    first = entries[0]
    assert list(first) == ["time", "client", "method", "path", "status", "seconds", "session",
                           "upstream", "upstream_status"]  # fmt: skip
    assert (first["path"], first["session"], first["upstream"]) == ("/sessions/a/stm", "a", owner)
    assert (first["status"], first["upstream_status"], first["client"]) == (
        "200", "200", "127.0.0.1",
    )  # fmt: skip
    assert 0 <= float(first["seconds"]) < 5
    assert entries[1]["path"] == '/sessions/a/"\n"x'


def _metrics(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"GET /lb/metrics HTTP/1.0\r\n\r\n")
        return client.makefile("rb").read().decode()
