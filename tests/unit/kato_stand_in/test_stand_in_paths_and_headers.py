"""Path forms, redirects, and the headers that KATO adds."""

import re

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_a_percent_encoded_id_is_the_same_session(
    kato: httpx.AsyncClient, session: str
) -> None:
    encoded = session.replace("/session-", "/%73ession-")
    answer = await kato.get(f"{encoded}/stm?x=1")
    assert answer.status_code == 200
    assert answer.json()["session_id"] == session.removeprefix("/sessions/")


@pytest.mark.parametrize("form", ["/{0}/stm", "/Sessions/{1}/stm", "/sessions//{1}/stm"])
async def test_other_path_forms_are_unknown(
    kato: httpx.AsyncClient, session: str, form: str
) -> None:
    path = form.format(session, session.removeprefix("/sessions/"))
    url = httpx.URL("http://kato").copy_with(raw_path=path.encode())
    answer = await kato.request("GET", url)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not Found"}


async def test_a_trailing_slash_redirects_by_the_host_header(
    kato: httpx.AsyncClient, session: str
) -> None:
    for path in (f"{session}/stm", "/sessions"):
        answer = await kato.get(f"{path}/", headers={"host": "kato.example:81"})
        assert answer.status_code == 307
        assert answer.headers["location"] == f"http://kato.example:81{path}"


@pytest.mark.parametrize("path", ["/ready", "/healthz", "/livez", "/live", "/nothing"])
async def test_unknown_paths(kato: httpx.AsyncClient, path: str) -> None:
    answer = await kato.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not Found"}


async def test_trace_id(kato: httpx.AsyncClient) -> None:
    answer = await kato.get("/health")
    assert re.fullmatch(r"kato-[0-9a-f]{32}", answer.headers["x-trace-id"])
    answer = await kato.get("/sessions/unknown/stm", headers={"x-trace-id": "mine"})
    assert answer.headers["x-trace-id"] == "mine"


async def test_claimed_session_is_echoed_outside_of_session_paths(
    kato: httpx.AsyncClient, session: str
) -> None:
    bogus = {"x-session-id": "bogus"}
    assert (await kato.get("/health", headers=bogus)).headers["x-session-id"] == "bogus"
    answer = await kato.get("/health", headers={"cookie": "a=b; session_id=other"})
    assert answer.headers["x-session-id"] == "other"
    answer = await kato.get(f"{session}/stm", headers=bogus)
    assert answer.headers["x-session-id"] == session.removeprefix("/sessions/")
    assert "x-session-id" not in (await kato.get("/health")).headers


async def test_no_cookie_is_ever_set(kato: httpx.AsyncClient, session: str) -> None:
    for path in ("/health", f"{session}/stm"):
        assert "set-cookie" not in (await kato.get(path)).headers


async def test_every_answer_names_its_process(kato: httpx.AsyncClient) -> None:
    for path in ("/health", "/nothing", "/sessions/unknown/stm"):
        answer = await kato.get(path)
        assert re.fullmatch(r"[^:]+:\d+", answer.headers["x-stand-in"])


async def test_cross_origin_requests_are_allowed(kato: httpx.AsyncClient) -> None:
    answer = await kato.get("/health", headers={"origin": "http://elsewhere"})
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST"])
async def test_health_is_get_only(kato: httpx.AsyncClient, method: str) -> None:
    assert (await kato.request(method, "/health")).status_code == 405


async def test_sessions_cannot_be_listed(kato: httpx.AsyncClient) -> None:
    assert (await kato.get("/sessions")).status_code == 405
