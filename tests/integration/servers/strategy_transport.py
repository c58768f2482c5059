"""Limits, TLS and WebSockets on the real balancers."""

import asyncio
import http.client
import json
import ssl
import threading
import warnings
from collections import Counter

from balancer_containers import ask
from strategy_sessions import over_tls
from strategy_stage import Stage, ports_of

EMPTY = "Content-Length: 0\r\n"
_UPGRADE = (
    "GET /ws/events HTTP/1.1\r\nHost: kato\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_SWITCHED = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def limits(stage: Stage) -> str:
    """What is above the limit is refused or waits, and never reaches a server."""
    servers = stage.echo()
    for server in servers.servers.values():
        server.delay = 0.4
    model = stage.model(ports_of(servers))
    stage.start(model)
    paths = ["/sessions/a/observe"] * 12
    answers = ask(model.listener.port, paths, method="POST", headers=EMPTY, connections=12)
    statuses = Counter(a.status for a in answers)
    most = max(server.most_at_once for server in servers.servers.values())
    assert most == 4, most
    if stage.program == "nginx":
        assert statuses == Counter({200: 4, 503: 8}), statuses
        assert servers.counts().total() == 4, "a refused request was forwarded"
        refused = next(a for a in answers if a.status == 503)
        assert refused.headers["retry-after"] == "1"
        return "limit 4, 12 at once: 4 served, 8 get 503 with Retry-After, none of them forwarded"
    assert statuses == Counter({200: 12}), statuses
    assert servers.counts().total() == 12
    return "limit 4, 12 at once: 12 served by their own server, 4 at a time, the rest waits"


def tls(stage: Stage) -> str:
    """TLS ends at the balancer; KATO learns of it; old versions are refused."""
    servers = stage.echo()
    model = stage.model(ports_of(servers))
    stage.start(model)
    port = model.listener.port
    answer = over_tls(port, **{"X-Forwarded-Proto": "http"})
    assert answer.status == 200
    assert json.loads(answer.body)["headers"]["x-forwarded-proto"] == "https"
    for version, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                           (ssl.TLSVersion.TLSv1_3, True)):  # fmt: skip
        assert _shakes_hands(port, version) is works, version
    plain = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        plain.request("GET", "/x")
        assert plain.getresponse().status == 400
    except (http.client.HTTPException, OSError):
        pass
    assert servers.counts().total() == 1
    return "TLS 1.2 and 1.3 served, 1.1 and plain HTTP not; KATO sees https"


def _shakes_hands(port: int, version: ssl.TLSVersion) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # Old versions are offered on purpose.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    client = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5)
    try:
        client.connect()
    except (ssl.SSLError, OSError):
        return False
    client.close()
    return True


def websocket(stage: Stage) -> str:
    """The upgrade passes, and then bytes do, both ways."""
    heads: list[str] = []
    with _upgrading(heads) as port:
        model = stage.model(dict.fromkeys(("kato-0",), port), servers=[{"name": "kato-0"}])
        stage.start(model)
        head, echoed = asyncio.run(asyncio.wait_for(_talk(model.listener.port), 10))
    assert head.startswith("HTTP/1.1 101 "), head
    assert "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in head.lower()
    assert echoed == [b"one", b"two", b"three"]
    assert "upgrade: websocket" in heads[0].lower()
    return "101 passes, then 3 messages go and come back"


async def _talk(port: int) -> tuple[str, list[bytes]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_UPGRADE.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    echoed = []
    for message in (b"one", b"two", b"three"):
        writer.write(message)
        echoed.append(await reader.readexactly(len(message)))
        await asyncio.sleep(0.2)
    writer.close()
    return head, echoed


class _upgrading:  # noqa: N801 - used as a function
    """A server that switches protocols and then sends every byte back."""

    def __init__(self, heads: list[str]) -> None:
        self._heads = heads
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> int:
        self._thread.start()
        opening = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result(5)
        return int(self._server.sockets[0].getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if "/health" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            self._heads.append(head)
            writer.write(_SWITCHED.encode())
            while data := await reader.read(1000):
                writer.write(data)
        await writer.drain()
        writer.close()
