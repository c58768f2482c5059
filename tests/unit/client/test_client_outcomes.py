"""What an answer or an error says about the request."""

import asyncio
import socket

import httpx
import pytest

from kato_balancing.client._outcomes import Kind, of_error, of_response
from kato_balancing.client._refusals import is_refused

KATO = {"X-Trace-ID": "kato-1"}


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(200, json={}), Kind.ANSWERED),
        (httpx.Response(404, json={}), Kind.ANSWERED),
        (httpx.Response(429), Kind.ANSWERED),
        (httpx.Response(503, text="Service Unavailable"), Kind.NOT_RUN),
        (httpx.Response(503, text="x", headers={"Retry-After": "1"}), Kind.NOT_RUN),
        (
            httpx.Response(503, text="<h1>No server is available to handle this request.</h1>"),
            Kind.NOT_RUN,
        ),
        (httpx.Response(503, json={"error": {}}, headers=KATO), Kind.FAILED),
        (httpx.Response(503, json={"error": {}}), Kind.CUT),
        (httpx.Response(503, text="upstream connect error"), Kind.CUT),
        (httpx.Response(500, text="Internal Server Error"), Kind.FAILED),
        (httpx.Response(502, text="<html>"), Kind.CUT),
        (httpx.Response(504, text="<html>"), Kind.SILENT),
        (httpx.Response(504, json={}, headers=KATO), Kind.FAILED),
    ],
)
def test_answers(response, kind):
    assert of_response(response).kind is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError(""), Kind.NOT_SENT),
        (httpx.ConnectTimeout(""), Kind.NOT_SENT),
        (httpx.PoolTimeout(""), Kind.NOT_SENT),
        (httpx.ReadError(""), Kind.CUT),
        (httpx.WriteError(""), Kind.CUT),
        (httpx.CloseError(""), Kind.CUT),
        (httpx.RemoteProtocolError(""), Kind.CUT),
        (httpx.ReadTimeout(""), Kind.SILENT),
        (httpx.WriteTimeout(""), Kind.SILENT),
    ],
)
def test_errors(error, kind):
    outcome = of_error(error)
    assert outcome is not None
    assert outcome.kind is kind


@pytest.mark.parametrize("error", [httpx.LocalProtocolError(""), httpx.UnsupportedProtocol("")])
def test_a_faulty_request_is_nobody_elses_fault(error):
    assert of_error(error) is None


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (caused(httpx.ConnectError(""), ConnectionRefusedError()), True),
        (caused(httpx.ConnectError(""), OSError("no route")), False),
        (caused(httpx.ConnectError(""), caused(OSError(""), ConnectionRefusedError())), True),
        (
            caused(
                httpx.ConnectError(""),
                ExceptionGroup("all", [ConnectionRefusedError(), OSError("no route")]),
            ),
            False,
        ),
        (None, False),
    ],
)
def test_refused(error, refused):
    assert is_refused(error) is refused


@pytest.fixture
def closed_port():
    """The address of a port that is taken, but that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def test_refused_for_real(closed_port):
    with pytest.raises(httpx.ConnectError) as caught:
        httpx.get(closed_port)
    assert is_refused(caught.value)


def test_refused_for_real_by_asyncio(closed_port):
    async def ask():
        async with httpx.AsyncClient() as client:
            await client.get(closed_port)

    with pytest.raises(httpx.ConnectError) as caught:
        asyncio.run(ask())
    assert is_refused(caught.value)
