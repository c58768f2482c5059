"""One client with 32 callers: ``fault_worker.py threads|tasks|naive OPERATIONS URL...``

It writes and reads until it has made so many calls, and prints as JSON what it was told about each
of its observations.
"""

import asyncio
import json
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from kato_balancing.client import (
    AsyncFailoverClient,
    FailoverClient,
    KatoError,
    Policy,
    ServerFailed,
    SessionNotFound,
)

CALLERS = 32
POST_SHARE = 0.6
DEADLINE = 4.0
TOKENS_PER_SESSION = 120
SHARED_BY = 4
"""Every fourth session is written by four callers at once."""


@dataclass
class Written:
    """A session and what was said about its observations."""

    session: str
    acknowledged: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)


@dataclass
class Record:
    """What one client saw."""

    limit: int
    operations: int = 0
    tokens: int = 0
    longest: float = 0.0
    results: Counter[str] = field(default_factory=Counter)
    written: list[Written] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> bool:
        with self.lock:
            self.operations += 1
            return self.operations <= self.limit

    def token(self) -> str:
        with self.lock:
            self.tokens += 1
            return f"t{self.tokens}"

    def end(self, call: str, result: str, seconds: float) -> None:
        with self.lock:
            self.results[f"{call}: {result}"] += 1
            self.longest = max(self.longest, seconds)

    def told(self, written: Written, token: str, error: Exception | None) -> str:
        """Note what a call said about its observation; its name for the table."""
        if error is None:
            written.acknowledged.append(token)
            return "ok"
        happened = getattr(error, "happened", None)
        (written.unknown if happened is None else written.undone).append(token)
        return type(error).__name__

    def shown(self) -> dict[str, Any]:
        return {
            "operations": min(self.operations, self.limit),
            "longest": self.longest,
            "deadline": DEADLINE,
            "results": dict(self.results.most_common()),
            "sessions": [vars(one) for one in self.written],
        }


class Turn:
    """The sessions that callers write to; replaced when they are full."""

    def __init__(self) -> None:
        self.now: dict[int, Written] = {}

    @staticmethod
    def place(caller: int) -> int:
        """Callers with the same place share a session."""
        return -(caller // SHARED_BY) - 1 if caller % 8 < SHARED_BY else caller

    def usable(self, caller: int) -> Written | None:
        one = self.now.get(self.place(caller))
        if one is None or len(one.acknowledged) + len(one.unknown) >= TOKENS_PER_SESSION:
            return None
        return one


POLICY = Policy(retry_reserve=500)


def threads(record: Record, urls: list[str], naive: bool) -> None:
    turn, opening = Turn(), threading.Lock()
    client: Any = Naive(urls) if naive else FailoverClient(urls, POLICY)

    def session_of(caller: int) -> Written | None:
        with opening:
            one = turn.usable(caller)
            if one is None:
                try:
                    session = client.create_session(f"node-{caller}", timeout=DEADLINE)
                except (KatoError, NaiveError) as error:
                    record.end("create", type(error).__name__, 0)
                    return None
                one = turn.now[turn.place(caller)] = Written(session)
                record.written.append(one)
            return one

    def work(caller: int) -> None:
        chance = random.Random(caller)
        while record.begin():
            one = session_of(caller)
            if one is None:
                continue
            began = time.monotonic()
            if chance.random() < POST_SHARE:
                token = record.token()
                error = attempt(observe, client, one.session, token)
                with record.lock:
                    said = record.told(one, token, error)
                record.end("observe", said, time.monotonic() - began)
            else:
                error = attempt(read, client, one.session)
                said = "ok" if error is None else type(error).__name__
                record.end("stm", said, time.monotonic() - began)

    running = [threading.Thread(target=work, args=(n,)) for n in range(CALLERS)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    client.close()


def attempt(call: Any, *arguments: Any) -> Exception | None:
    try:
        call(*arguments)
    except (KatoError, NaiveError) as error:
        return error
    return None


def observe(client: Any, session: str, token: str) -> None:
    check(client.request("POST", f"/sessions/{session}/observe", json={"strings": [token]},
                         timeout=DEADLINE))  # fmt: skip


def read(client: Any, session: str) -> None:
    check(client.request("GET", f"/sessions/{session}/stm", timeout=DEADLINE))


def check(response: httpx.Response) -> None:
    if response.status_code == 404:
        raise SessionNotFound("gone", status=404, body=response.text)
    if response.status_code != 200:
        raise ServerFailed("failed", status=response.status_code, body=response.text)


async def tasks(record: Record, urls: list[str]) -> None:
    turn, opening = Turn(), asyncio.Lock()
    client = AsyncFailoverClient(urls, POLICY)

    async def session_of(caller: int) -> Written | None:
        async with opening:
            one = turn.usable(caller)
            if one is None:
                try:
                    session = await client.create_session(f"node-{caller}", timeout=DEADLINE)
                except KatoError as error:
                    record.end("create", type(error).__name__, 0)
                    return None
                one = turn.now[turn.place(caller)] = Written(session)
                record.written.append(one)
            return one

    async def work(caller: int) -> None:
        chance = random.Random(caller)
        while record.begin():
            one = await session_of(caller)
            if one is None:
                continue
            began = time.monotonic()
            path = f"/sessions/{one.session}"
            if chance.random() < POST_SHARE:
                token, error = record.token(), None
                try:
                    check(await client.request(
                        "POST", f"{path}/observe", json={"strings": [token]}, timeout=DEADLINE
                    ))  # fmt: skip
                except KatoError as raised:
                    error = raised
                said = record.told(one, token, error)
                record.end("observe", said, time.monotonic() - began)
            else:
                said = "ok"
                try:
                    check(await client.request("GET", f"{path}/stm", timeout=DEADLINE))
                except KatoError as raised:
                    said = type(raised).__name__
                record.end("stm", said, time.monotonic() - began)

    await asyncio.gather(*(work(n) for n in range(CALLERS)))
    await client.close()


class NaiveError(Exception):
    """What the guide's client raises in the end."""


class Naive:
    """The guide's FailoverClient: each call goes to the next instance, and after any error to
    the one after it. (Its connections are kept here, so that it is not slower.)"""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        self._turn = 0
        self._client = httpx.Client(timeout=DEADLINE / 4)

    def request(
        self, method: str, path: str, timeout: float | None = None, **more: Any
    ) -> httpx.Response:
        del timeout
        last: Exception | None = None
        for _ in self._urls:
            url = self._urls[self._turn % len(self._urls)]
            self._turn += 1
            try:
                return self._client.request(method, url + path, **more).raise_for_status()
            except httpx.HTTPError as error:
                last = error
        raise NaiveError(f"All instances failed: {last}")

    def create_session(self, node: str, timeout: float) -> str:
        answer = self.request("POST", "/sessions", timeout, json={"node_id": node})
        return str(answer.json()["session_id"])

    def close(self) -> None:
        self._client.close()


def main() -> None:
    kind, limit, *urls = sys.argv[1:]
    record = Record(int(limit))
    if kind == "tasks":
        asyncio.run(tasks(record, urls))
    else:
        threads(record, urls, naive=kind == "naive")
    json.dump(record.shown(), sys.stdout)


if __name__ == "__main__":
    main()
