"""Three KATO instances in memory behind httpx' mock transport, with faults by the request."""

import json
import re
from collections import defaultdict
from collections.abc import Callable

import httpx

from kato_balancing.client import FailoverClient, Policy

URLS = [f"http://kato-{i}:8000" for i in range(3)]
NAMES = [f"kato-{i}" for i in range(3)]
QUICK = Policy(check_health=False, settle=0.001, backoff=0.001, backoff_cap=0.002, deadline=2.0)

Fault = Callable[["FakeKato", httpx.Request], httpx.Response]


class FakeKato:
    """Sessions in one store; ``faults[instance]`` are used up by its session calls in order."""

    def __init__(self) -> None:
        self.sessions: dict[str, list[list[str]]] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.calls: list[tuple[str, str, str]] = []
        self.uptime: dict[str, float] = dict.fromkeys(NAMES, 1000.0)
        self.refusing: set[str] = set()
        self.hanging: set[str] = set()
        self.store_down = False
        self.learns_at = 0
        self.made = 0

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle)

    def client(self, policy: Policy = QUICK, urls: list[str] = URLS, **more) -> FailoverClient:
        return FailoverClient(urls, policy, transport=self.transport(), **more)

    def handle(self, request: httpx.Request) -> httpx.Response:
        name, path = request.url.host, request.url.path
        self.calls.append((name, request.method, path))
        if name in self.refusing:
            raise httpx.ConnectError("refused") from ConnectionRefusedError()
        if name in self.hanging:
            raise httpx.ReadTimeout("hangs")
        if path.startswith("/sessions/") and not path.endswith("/exists") and self.faults[name]:
            return self.faults[name].pop(0)(self, request)
        return self.serve(request)

    def serve(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/health":
            return answer({"uptime_seconds": self.uptime[request.url.host]})
        if path == "/sessions":
            self.made += 1
            session = f"session-{self.made:032x}-1"
            self.sessions[session] = []
            return answer({"session_id": session})
        found = re.fullmatch(r"/sessions/([^/]+)(?:/(.+))?", path)
        assert found, path
        session, action = found[1], found[2] or ""
        if action == "exists":
            if self.store_down:
                return httpx.Response(500, text="Internal Server Error")
            return answer({"exists": session in self.sessions})
        if session not in self.sessions or self.store_down:
            return answer({"error": {"code": "SESSION_NOT_FOUND"}}, 404)
        return self.session_call(request, session, action)

    def session_call(self, request: httpx.Request, session: str, action: str) -> httpx.Response:
        stm = self.sessions[session]
        if request.method == "DELETE":
            del self.sessions[session]
            return answer({"status": "deleted"})
        body = json.loads(request.content or b"{}")
        if action == "observe":
            stm.append(sorted(body["strings"]))
            if self.learns_at and len(stm) >= self.learns_at:
                stm.clear()
        elif action == "observe-sequence":
            stm += [sorted(one["strings"]) for one in body["observations"]]
        elif action in ("learn", "clear-stm"):
            if action == "learn" and not stm:
                return answer({"detail": "Cannot learn from empty STM"}, 400)
            stm.clear()
        return answer(
            {
                "stm": stm,
                "stm_length": len(stm),
                "final_stm_length": len(stm),
                "pattern_name": "PTRN|1",
                "predictions": [],
                "config": {"max_pattern_length": self.learns_at},
            }
        )


def answer(body: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body, headers={"X-Trace-ID": "kato-1"})


# What can happen to one request.


def cut_before(_kato: FakeKato, _request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("reset")


def cut_after(kato: FakeKato, request: httpx.Request) -> httpx.Response:
    kato.serve(request)
    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")


def silent_before(_kato: FakeKato, _request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("timed out")


def silent_after(kato: FakeKato, request: httpx.Request) -> httpx.Response:
    kato.serve(request)
    raise httpx.ReadTimeout("timed out")


def failed_before(_kato: FakeKato, _request: httpx.Request) -> httpx.Response:
    return httpx.Response(500, text="Internal Server Error")


def failed_after(kato: FakeKato, request: httpx.Request) -> httpx.Response:
    kato.serve(request)
    return httpx.Response(500, text="Internal Server Error")


def database_503_before(_kato: FakeKato, _request: httpx.Request) -> httpx.Response:
    return answer({"error": {"code": "DATABASE"}}, 503)


def database_503_after(kato: FakeKato, request: httpx.Request) -> httpx.Response:
    kato.serve(request)
    return answer({"error": {"code": "DATABASE"}}, 503)


def over_the_limit(_kato: FakeKato, _request: httpx.Request) -> httpx.Response:
    return httpx.Response(503, text="Service Unavailable", headers={"connection": "close"})


def not_connected(_kato: FakeKato, _request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectTimeout("no connection")
