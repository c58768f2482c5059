"""A real process: connections, limits and the WebSocket."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

LIMIT = 3


@pytest.fixture
def connection(shared_process: Any) -> Iterator[http.client.HTTPConnection]:
    link = http.client.HTTPConnection("127.0.0.1", shared_process.port, timeout=10)
    yield link
    link.close()


def call(
    link: http.client.HTTPConnection, method: str, path: str, body: Any = None
) -> tuple[http.client.HTTPResponse, bytes]:
    headers = {"content-type": "application/json"}
    link.request(method, path, None if body is None else json.dumps(body), headers)
    answer = link.getresponse()
    return answer, answer.read()


def new_session(link: http.client.HTTPConnection) -> str:
    _, body = call(link, "POST", "/sessions", {"node_id": "n"})
    return f"/sessions/{json.loads(body)['session_id']}"


def test_a_connection_is_kept(connection: http.client.HTTPConnection) -> None:
    ports = set()
    for _ in range(2):
        answer, _ = call(connection, "GET", "/health")
        assert answer.status == 200
        assert answer.version == 11
        assert answer.headers["server"] == "uvicorn"
        assert answer.headers["connection"] is None
        ports.add(connection.sock.getsockname()[1])
    assert len(ports) == 1


def test_trailing_slash(connection: http.client.HTTPConnection) -> None:
    answer, _ = call(connection, "GET", f"{new_session(connection)}/stm/")
    assert answer.status == 307
    assert answer.headers["location"].startswith(f"http://127.0.0.1:{connection.port}/sessions/")


@pytest.mark.parametrize("form", ["/{0}/stm", "/.{0}/stm", "/sessions//{1}/stm"])
def test_paths_that_are_not_normalised(connection: http.client.HTTPConnection, form: str) -> None:
    session = new_session(connection)
    answer, _ = call(connection, "GET", form.format(session, session.removeprefix("/sessions/")))
    assert answer.status == 404


def test_percent_encoded_id(connection: http.client.HTTPConnection) -> None:
    encoded = new_session(connection).replace("/session-", "/%73ession-")
    answer, _ = call(connection, "GET", f"{encoded}/stm")
    assert answer.status == 200


def test_reset_after_the_change(connection: http.client.HTTPConnection) -> None:
    session = new_session(connection)
    call(connection, "POST", "/_stand_in/fault", {"kind": "reset", "count": 1})
    with pytest.raises(ConnectionResetError) as cut:
        call(connection, "POST", f"{session}/observe", {"strings": ["a"]})
    # Its subclass RemoteDisconnected would mean an orderly end.
    assert cut.type is ConnectionResetError
    connection.close()
    _, body = call(connection, "GET", f"{session}/stm")
    assert json.loads(body)["length"] == 1


def test_websocket(shared_process: Any, connection: http.client.HTTPConnection) -> None:
    with connect(f"ws://127.0.0.1:{shared_process.port}/ws/events", open_timeout=10) as client:
        snapshot = json.loads(client.recv(timeout=10))
        assert snapshot["event_type"] == "state.snapshot"
        assert snapshot["data"].keys() == {"active_sessions", "system_status"}
        client.send("ping")
        assert client.recv(timeout=10) == "pong"
        session = new_session(connection)
        call(connection, "DELETE", session)
        events = [json.loads(client.recv(timeout=10)) for _ in range(2)]
    assert [event["event_type"] for event in events] == ["session.created", "session.destroyed"]
    assert {f"/sessions/{event['data']['session_id']}" for event in events} == {session}


def test_the_last_connection_under_the_limit_is_refused(start: Callable[..., Any]) -> None:
    port = start(KATO_LIMIT_CONCURRENCY=str(LIMIT)).port
    links = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(LIMIT)]
    try:
        answers = [call(link, "GET", "/health") for link in links]
    finally:
        for link in links:
            link.close()
    assert [answer.status for answer, _ in answers] == [200] * (LIMIT - 1) + [503]
    refused, body = answers[-1]
    assert body == b"Service Unavailable"
    assert refused.headers["content-type"] == "text/plain; charset=utf-8"
    assert refused.headers["content-length"] == "19"
    assert refused.headers["connection"] == "close"
    assert refused.headers["x-trace-id"] is None


def test_an_aborted_upload_is_no_crash(shared_process: Any) -> None:
    with socket.create_connection(("127.0.0.1", shared_process.port), timeout=10) as link:
        link.sendall(b"POST /sessions HTTP/1.1\r\nhost: kato\r\ncontent-length: 100\r\n\r\n{")
    link = http.client.HTTPConnection("127.0.0.1", shared_process.port, timeout=10)
    assert call(link, "GET", "/health")[0].status == 200
    link.close()
