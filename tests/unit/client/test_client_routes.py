"""Which calls may be made twice, and which session they belong to."""

import pytest

from kato_balancing.client._routes import SESSION_CALLS, Repeat, route_of

S = "session-0123456789abcdef0123456789abcdef-1760000000000"


@pytest.mark.parametrize(
    ("method", "path", "repeat", "session"),
    [
        ("POST", "/sessions", Repeat.CREATE, None),
        ("GET", f"/sessions/{S}", Repeat.READ, S),
        ("GET", f"/sessions/{S}/", Repeat.READ, S),
        ("GET", f"/sessions/%73{S[1:]}/stm", Repeat.READ, S),
        ("GET", f"/sessions/{S}/predictions", Repeat.READ, S),
        ("POST", f"/sessions/{S}/observe", Repeat.VERIFY, S),
        ("POST", f"/sessions/{S}/observe-sequence", Repeat.VERIFY, S),
        ("POST", f"/sessions/{S}/learn", Repeat.VERIFY, S),
        ("POST", f"/sessions/{S}/config", Repeat.SET, S),
        ("POST", f"/sessions/{S}/clear-stm", Repeat.SET, S),
        ("POST", f"/sessions/{S}/clear-all", Repeat.ONCE, S),
        ("POST", f"/sessions/{S}/patterns/purge", Repeat.ONCE, S),
        ("POST", f"/sessions/{S}/something-new", Repeat.ONCE, S),
        ("GET", f"/sessions/{S}/something-new", Repeat.READ, S),
        ("DELETE", f"/sessions/{S}", Repeat.SET, S),
        ("GET", "/sessions/count", Repeat.READ, None),
        ("GET", "/sessions/test/x", Repeat.READ, None),
        ("GET", "/health", Repeat.READ, None),
        ("POST", "/cache/invalidate", Repeat.ONCE, None),
        ("PUT", "/anything", Repeat.ONCE, None),
    ],
)
def test_every_call_has_its_class(method, path, repeat, session):
    found = route_of(method, path)

    assert (found.repeat, found.session) == (repeat, session)
    assert found.writes_session == (session is not None and repeat is not Repeat.READ)


def test_no_post_is_taken_for_a_read():
    assert all((method == "GET") == (r is Repeat.READ) for (method, _), r in SESSION_CALLS.items())
