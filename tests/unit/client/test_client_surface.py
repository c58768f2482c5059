"""What users import, what it costs, and what watches a client."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fake_kato import QUICK, URLS, FakeKato
from rich.console import Console

import kato_balancing.client as package
from kato_balancing import watch_command
from kato_balancing.client import (
    BreakerState,
    CallEvent,
    CircuitBreakerLoadBalancer,
    InstanceState,
    KatoTransport,
    MetricsBasedLoadBalancer,
    PrometheusHook,
)
from kato_balancing.client._calls import observation
from kato_balancing.client.session_events import Seen, addresses

ROOT = Path(__file__).parents[3]


def test_every_name_is_there():
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(dir(package)) == set(package.__all__)
    assert not hasattr(package, "nothing")


def test_importing_it_loads_no_other_library():
    """That is what keeps it fast: httpx and pydantic take longer than all the rest."""
    code = (
        "import sys; before = set(sys.modules); import kato_balancing.client; "
        "print([m for m in ('httpx', 'pydantic', 'rich', 'websockets', 'prometheus_client') "
        "if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    assert shown.stdout.strip() == "[]"


def test_it_is_typed():
    assert (ROOT / "kato_balancing/py.typed").exists()


def test_a_transport_for_an_own_client():
    kato = FakeKato()
    transport = KatoTransport(URLS, QUICK, inner=kato.transport())
    with httpx.Client(base_url="http://anything", transport=transport, timeout=5) as client:
        session = client.post("/sessions", json={"node_id": "n"}).json()["session_id"]
        answer = client.post(f"/sessions/{session}/observe", json={"strings": ["a"]})
        assert answer.json()["stm_length"] == 1
        assert answer.elapsed.total_seconds() >= 0


def test_hooks_hear_of_attempts_and_decisions():
    heard: list[CallEvent] = []
    kato = FakeKato()
    client = kato.client(hooks=(heard.append, lambda _event: 1 / 0))
    session = client.attach(client.create_session("n"))
    owner = client.owner(session.session_id)

    def cut(k, request):
        k.serve(request)
        raise httpx.ReadError("reset")

    kato.faults[owner] = [cut]
    session.observe(["a"])

    told = [(event.what, event.call, event.result) for event in heard]
    assert told == [
        ("attempt", "POST /sessions", "answered"),
        ("attempt", "POST observe", "cut"),
        ("decision", "POST observe", "applied"),
    ]


def test_prometheus():
    client_library = importlib.import_module("prometheus_client")
    registry = client_library.CollectorRegistry()
    hook = PrometheusHook(registry)
    kato = FakeKato()
    with kato.client(hooks=(hook,)) as client:
        hook.watch(client)
        client.create_session("n")
        text = client_library.generate_latest(registry).decode()

    assert 'kato_client_attempt_seconds_count{call="POST /sessions"' in text
    assert 'kato_client_instance_up{instance="kato-0"} 1.0' in text
    assert "session-0" not in text


def test_the_guides_names():
    kato = FakeKato()
    balancer = CircuitBreakerLoadBalancer(URLS, QUICK, transport=kato.transport())
    assert balancer.get_available_instance() in URLS
    assert balancer.request("GET", "/health").status_code == 200
    weighted = MetricsBasedLoadBalancer(URLS)
    weighted.update_metrics(URLS[0], load=0.0, latency=9.9)
    weighted.update_metrics(URLS[1], load=1.0, latency=0.01)
    weighted.update_metrics(URLS[2], load=1.0, latency=0.01)
    assert URLS[0] not in {weighted.get_weighted_instance() for _ in range(50)}
    with pytest.raises(ValueError, match="negative"):
        weighted.update_metrics(URLS[0], load=-1, latency=0)


def test_the_screen():
    states = [
        InstanceState("a", "http://a:8000", True, BreakerState.CLOSED, 3, 0.012, "ok"),
        InstanceState("b", "http://b:8000", False, BreakerState.OPEN, 0, None, "ConnectError"),
    ]
    console = Console(width=80, record=True)
    console.print(watch_command.screen(states))
    shown = console.export_text()

    assert "12.0 ms" in shown
    assert "down" in shown
    assert "ConnectError" in shown


@pytest.mark.parametrize("arguments", [["http://127.0.0.1:9", "--interval", "0"], ["nonsense"]])
def test_watch_refuses_wrong_use(arguments):
    import argparse

    parser = argparse.ArgumentParser()
    watch_command.configure(parser)
    with pytest.raises(SystemExit) as caught:
        watch_command.run(parser.parse_args(arguments), parser)
    assert caught.value.code == 2


def test_watch_says_that_nobody_serves(capsys):
    import argparse

    parser = argparse.ArgumentParser()
    watch_command.configure(parser)
    words = ["http://127.0.0.1:9", "--json", "--seconds", "1.5", "--interval", "0.1"]
    assert watch_command.run(parser.parse_args(words), parser) == 1
    lines = capsys.readouterr().out.strip().splitlines()
    assert json.loads(lines[-1])[0]["up"] is False


def frame(kind, session):
    return json.dumps({"event_type": kind, "timestamp": "", "data": {"session_id": session}})


def test_an_event_is_told_once():
    seen = Seen(most=2)
    assert seen.event(frame("session.created", "s"), "a").session_id == "s"
    assert seen.event(frame("session.created", "s"), "b") is None
    assert seen.event(frame("session.destroyed", "s"), "b").instance == "b"
    for text in ("pong", "[]", frame("state.snapshot", None), '{"event_type": "session.created"}'):
        assert seen.event(text, "a") is None


def test_addresses_of_events():
    found = addresses(["http://kato-1:8000", "https://kato-2"])
    assert list(found.values()) == ["ws://kato-1:8000/ws/events", "wss://kato-2/ws/events"]


def test_one_text_is_not_taken_for_many():
    with pytest.raises(TypeError, match="list"):
        observation("hello", (), None, None)
