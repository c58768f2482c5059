"""What clients see of dead, spare and draining servers, on the real balancers."""

import threading
import time
from collections import Counter

from balancer_containers import Answer, ask
from echo_servers import Echo
from strategy_detection import detections
from strategy_spreading import NAMES, server_of
from strategy_stage import Stage, ports_of

from kato_balancing.placement.sample import session_ids

PATHS = [f"/sessions/{i}/stm" for i in session_ids(90, seed=21)]
EMPTY = "Content-Length: 0\r\n"


def passive(stage: Stage) -> str:
    """Failing to connect to a server is no client's problem while another is up."""
    servers = stage.echo()
    # Only what happens while serving shall tell HAProxy, which always probes as well.
    probes = {"health": {**stage.strategy.settings["health"], "active": {"interval": 600}}}
    model = stage.model(ports_of(servers), **(probes if stage.program == "haproxy" else {}))
    running = stage.start(model)
    port = model.listener.port
    _all_served(ask(port, PATHS))
    servers.down("kato-0")
    _all_served(ask(port, PATHS * 3, method="POST", headers=EMPTY))
    _all_served(ask(port, PATHS * 3))
    servers.down("kato-1")
    _all_served(ask(port, PATHS * 3))
    _all_served(ask(port, PATHS * 3, method="POST", headers=EMPTY))
    log = running.logs()
    if stage.program == "nginx":
        dead = f"127.0.0.1:{servers.servers['kato-0'].port}"
        tried = sum("connect() failed" in x and dead in x for x in log.splitlines())
        # 8 clients at once may each have chosen it before the second failure; every 5 s again.
        assert 2 <= tried <= 40, log
    else:
        assert "Server kato/kato-0 is DOWN" in log, log
    return "1 or 2 of 3 servers dead: 0 of 1080 GET and POST fail, the dead ones are left alone"


def active(stage: Stage) -> str:
    """Crash, hang and return are found."""
    found = detections(stage)[stage.target]
    assert found.crash <= 2, found
    assert found.hang <= 4.5, found
    assert found.back <= 4, found
    assert found.failed == 0, found
    return "crash: no GET fails or waits 2 s; hang left alone within 4.5 s; back within 4 s"


def backup(stage: Stage) -> str:
    """The spare servers serve when there is no other, and only then."""
    servers = stage.echo()
    more = {"health": {"passive": {"window": 1}}} if stage.program == "nginx" else {}
    model = stage.model(ports_of(servers), **more)
    stage.start(model)
    port = model.listener.port

    for down in (None, "kato-0", "kato-1"):
        if down:
            servers.down(down)
        _all_served(ask(port, PATHS, method="POST", headers=EMPTY))
        _all_served(ask(port, PATHS))
        assert _spare(servers) == 0, f"with {down} down: {servers.counts()}"
    servers.servers["kato-2"].cut_after_reading = True
    cut = ask(port, PATHS[:1], method="POST", headers=EMPTY)
    assert [a.status for a in cut] == [502], "a POST that a primary may have done is not repeated"
    servers.servers["kato-2"].cut_after_reading = False
    assert _spare(servers) == 0
    _until_back(port, servers)

    servers.down("kato-2")
    _all_served(ask(port, PATHS[:1], method="POST", headers=EMPTY))
    assert _spare(servers) == 1, "the first POST after the last primary went"
    _all_served(ask(port, PATHS, method="POST", headers=EMPTY))
    found = _all_served(ask(port, PATHS))
    assert set(found) == {"spare-0", "spare-1"}, Counter(found)
    if model.affinity == "SESSION":
        assert _all_served(ask(port, PATHS)) == found, "a session stays on its spare server"

    servers.up("kato-1")
    _until_back(port, servers)
    before = _spare(servers)
    assert set(_all_served(ask(port, PATHS))) == {"kato-1"}
    assert _spare(servers) == before
    _slow_is_not_down(stage)
    kept = "; a session keeps its spare server" if model.affinity == "SESSION" else ""
    return (
        "1 of 3 up, or all too slow: spare ones get 0; none up: GET and the first POST are "
        f"served{kept}; one back: 0 again"
    )


def _slow_is_not_down(stage: Stage) -> None:
    """A request that takes too long ends with 504: its server may still work on it."""
    servers = stage.echo()
    for name in NAMES:
        servers.servers[name].delay = 2
    quick = {"timeouts": {"read": 1, "connect": 0.3}, "retry": {"window": 1}}
    model = stage.model(ports_of(servers), **quick)
    stage.start(model)
    for method in ("GET", "POST"):
        [answer] = ask(model.listener.port, PATHS[:1], method=method, headers=EMPTY)
        assert _spare(servers) == 0, f"a slow {method} went to a spare server"
        assert answer.status in (502, 504)


def draining(stage: Stage) -> str:
    """Nothing new for the server; what is in flight ends; nobody else's sessions move."""
    servers = stage.echo()
    ready = [{"name": name} for name in NAMES]
    model = stage.model(ports_of(servers), servers=ready, access_log=False)
    running = stage.start(model)
    port = model.listener.port
    paths = [f"/sessions/{i}/stm" for i in session_ids(600, seed=22)]
    before = _all_served(ask(port, paths))
    leaving = servers.servers["kato-1"]
    leaving.delay = 1.5
    flying: list[Answer] = []
    path = paths[before.index("kato-1")]
    flight = threading.Thread(
        target=lambda: flying.extend(ask(port, [path] * 4, method="POST", headers=EMPTY))
    )
    flight.start()
    time.sleep(0.3)
    listener = {"port": port, "private_port": model.listener.private_port}
    stage.reload(running, stage.model(ports_of(servers), listener=listener, access_log=False))
    asked = len(leaving.requests)
    after = _all_served(ask(port, paths))
    assert len(leaving.requests) == asked, "the draining server got new work"
    moved = sum(a not in (b, "kato-1") for a, b in zip(before, after, strict=True))
    assert moved == 0, f"{moved} sessions of other servers moved"
    flight.join(10)
    assert _all_served(flying) == ["kato-1"] * 4
    return "0 of 600 new requests; 4 of 4 in flight end well; 0 sessions of other servers move"


def _until_back(port: int, servers: Echo, seconds: float = 8) -> None:
    """Until the primaries alone serve again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = _spare(servers)
        answers = ask(port, PATHS[:30])
        if {a.status for a in answers} == {200} and _spare(servers) == before:
            return
        time.sleep(0.2)
    raise AssertionError("the spare servers still serve")


def _spare(servers: Echo) -> int:
    return sum(n for name, n in servers.counts().items() if name.startswith("spare"))


def _all_served(answers: list[Answer]) -> list[str]:
    assert Counter(a.status for a in answers) == Counter({200: len(answers)})
    return [server_of(a.body) for a in answers]
