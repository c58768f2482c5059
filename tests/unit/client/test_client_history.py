"""Random histories of one session: whatever happens to instances, answers and late writes, what
was acknowledged is there once, what was said not to have happened is not there."""

import dataclasses
import time
from collections import Counter

import fake_kato as fake
import httpx
import pytest
from fake_kato import NAMES, QUICK, FakeKato
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kato_balancing.client import KatoError, SessionHeld
from kato_balancing.client._health_state import Check

POLICY = dataclasses.replace(QUICK, deadline=0.06, retry_reserve=1000.0)


class LateKato(FakeKato):
    """An instance may run a request long after its client has given up: before or after it has
    read the session. What it has read it writes back, whoever wrote in between."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, list[tuple[httpx.Request, list[list[str]] | None]]] = {
            name: [] for name in NAMES
        }
        self.started = dict.fromkeys(NAMES, time.monotonic() - 100)

    def serve(self, request):
        name = request.url.host
        if request.url.path == "/health":
            return fake.answer({"uptime_seconds": time.monotonic() - self.started[name]})
        if request.method == "POST" and request.url.path.endswith(("observe", "observe-sequence")):
            self.let_go(name, only_started=True)  # it waits for the lock
        return super().serve(request)

    def let_go(self, name, only_started=False):
        """The instance runs what it has."""
        waiting = self.waiting[name]
        for one in [w for w in waiting if w[1] is not None or not only_started]:
            waiting.remove(one)
            request, read = one
            session = request.url.path.split("/")[2]
            if read is not None:
                self.sessions[session] = [list(event) for event in read]
            FakeKato.serve(self, request)

    def replace(self, name):
        self.waiting[name].clear()
        self.started[name] = time.monotonic()
        self.hanging.discard(name)
        self.refusing.discard(name)


def late_unread(kato, request):
    kato.waiting[request.url.host].append((request, None))
    raise httpx.ReadTimeout("timed out")


def late_read(kato, request):
    stm = kato.sessions[request.url.path.split("/")[2]]
    kato.waiting[request.url.host].append((request, [list(event) for event in stm]))
    kato.hanging.add(request.url.host)  # between reading and writing: it hangs
    raise httpx.ReadTimeout("timed out")


FAULTS = [
    fake.cut_before, fake.cut_after, fake.silent_before, fake.silent_after, fake.failed_before,
    fake.failed_after, fake.over_the_limit, fake.not_connected, late_unread, late_read,
]  # fmt: skip
steps = st.lists(
    st.one_of(
        st.tuples(st.just("observe"), st.sampled_from([None, *FAULTS])),
        st.tuples(st.sampled_from(["resume", "replace", "kill", "mark down"]), st.none()),
    ),
    min_size=3,
    max_size=9,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
@example([("observe", late_read), ("mark down", None), ("observe", None), ("resume", None)])
@example([("observe", late_unread), ("observe", None), ("mark down", None), ("observe", None)])
def test_nothing_is_lost_or_doubled(history):
    kato = LateKato()
    client = kato.client(POLICY)
    session = client.attach(client.create_session("n", timeout=2))
    owner = client._transport.parts.core.pool.placement.owner(session.session_id)
    said: dict[str, bool | None] = {}
    for number, (what, fault) in enumerate(history):
        if what == "observe":
            first_write(kato, owner, fault)
            said[f"t{number}"] = told(session, f"t{number}")
            kato.faults.clear()
        else:
            happens(what, kato, client, owner)
    kato.hanging.clear()
    kato.let_go(owner)

    found = Counter(token for event in kato.sessions[session.session_id] for token in event)
    for token, happened in said.items():
        assert found[token] <= 1, f"{token} is doubled"
        if happened is not None:
            assert found[token] == int(happened), f"{token}: said {happened}"
    client.close()


def told(session, token):
    """Whether the observation happened, as far as the call says."""
    try:
        session.observe([token])
    except KatoError as error:
        return error.happened
    return True


def happens(what, kato, client, owner):
    if what == "resume":
        kato.hanging.discard(owner)
        kato.let_go(owner)
    elif what == "replace":
        kato.replace(owner)
    elif what == "kill":
        kato.waiting[owner].clear()
        kato.hanging.discard(owner)
        kato.refusing.add(owner)
    else:
        for _ in range(2):
            client._transport.parts.core.pool.health.report(owner, Check(False))


def first_write(kato, owner, fault):
    """Let the fault meet the next observation, not the reads around it."""
    if fault is None:
        return

    def once(k, request):
        if request.url.path.endswith("/observe"):
            return fault(k, request)
        k.faults[owner].append(once)
        return k.serve(request)

    kato.faults[owner] = [once]


def test_this_kato_loses_what_a_careless_client_writes():
    """The model has the fault: a write elsewhere while the first hangs is overwritten."""
    kato = LateKato()
    client = kato.client(POLICY)
    session = client.attach(client.create_session("n", timeout=2))
    owner = client.owner(session.session_id)
    other = next(name for name in NAMES if name != owner)
    first_write(kato, owner, late_read)
    with pytest.raises(KatoError):
        session.observe(["first"])
    with pytest.raises(SessionHeld):
        session.observe(["careful"])

    url = f"http://{other}:8000/sessions/{session.session_id}/observe"
    with httpx.Client(transport=kato.transport()) as careless:
        careless.post(url, json={"strings": ["careless"]}).raise_for_status()
    kato.let_go(owner)

    assert kato.sessions[session.session_id] == [["first"]]
