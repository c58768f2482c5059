"""New sessions in the nearest region that serves; live ones where they were born."""

import asyncio

import httpx
import pytest
from fake_kato import QUICK, FakeKato

from kato_balancing.client import (
    AsyncFailoverClient,
    AsyncRegions,
    FailoverClient,
    GeoLoadBalancer,
    NoInstance,
    RegionDown,
    Regions,
)
from kato_balancing.client._health_state import Check
from kato_balancing.headers import REGION_HEADER

PLACES = {"eu": ["http://kato-0:8000"], "us": ["http://kato-1:8000"]}


@pytest.fixture
def katos():
    return {"eu": FakeKato(), "us": FakeKato()}


def make(katos, nearest=("us",)):
    clients = {name: kato.client(QUICK, PLACES[name]) for name, kato in katos.items()}
    return Regions(PLACES, nearest=nearest, clients=clients)


def judge(regions, region, ok):
    client = regions.clients[region]
    table = client._transport.parts.core.pool.health
    for _ in range(2):
        table.report(table.names[0], Check(ok))


def test_the_nearest_gets_new_sessions(katos):
    with make(katos) as regions:
        session = regions.create_session("n")
        assert session.region == "us"
        assert regions.attach(session.handle).observe(["a"])["stm_length"] == 1
        assert not katos["eu"].sessions


@pytest.mark.parametrize("noticed", [True, False])
def test_new_sessions_go_to_the_next_while_it_is_down(katos, noticed):
    with make(katos) as regions:
        katos["us"].refusing.add("kato-1")
        if noticed:
            judge(regions, "us", False)
        assert regions.create_session("n").region == "eu"


def test_a_session_waits_for_its_region(katos):
    with make(katos) as regions:
        session = regions.create_session("n")
        katos["us"].refusing.add("kato-1")
        with pytest.raises(NoInstance):
            session.observe(["a"])
        judge(regions, "us", False)
        with pytest.raises(RegionDown, match="us"):
            regions.attach(session.handle)
        assert not katos["eu"].sessions

        katos["us"].refusing.clear()
        judge(regions, "us", True)
        assert regions.attach(session.handle).observe(["a"])["stm_length"] == 1
        assert regions.create_session("n").region == "us"


def test_all_down(katos):
    with make(katos) as regions:
        for name, kato in katos.items():
            kato.refusing.add(PLACES[name][0].split("/")[2].split(":")[0])
        with pytest.raises(RegionDown) as caught:
            regions.create_session("n")
        assert isinstance(caught.value.__cause__, NoInstance)


@pytest.mark.parametrize("handle", ["asia/session-1", "session-1", "/session-1"])
def test_no_region_is_guessed(katos, handle):
    with make(katos) as regions, pytest.raises(ValueError, match="region"):
        regions.attach(handle)


def test_wrong_regions():
    with pytest.raises(ValueError, match="asia"):
        Regions(PLACES, nearest=["asia"], clients={})
    with pytest.raises(ValueError, match="slash"):
        Regions({"a/b": ["http://x"]}, clients={})
    with pytest.raises(ValueError, match="at least one"):
        Regions({})


def test_by_asyncio(katos):
    async def go():
        clients = {
            name: AsyncFailoverClient(PLACES[name], QUICK, transport=kato.transport())
            for name, kato in katos.items()
        }
        async with AsyncRegions(PLACES, nearest=["eu"], clients=clients) as regions:
            session = await regions.create_session("n")
            return session.region, await regions.attach(session.handle).observe(["a"])

    region, answer = asyncio.run(go())
    assert (region, answer["stm_length"]) == ("eu", 1)


def test_the_guides_name_refuses_unknown_regions():
    balancer = GeoLoadBalancer(PLACES, QUICK)
    with pytest.raises(ValueError, match="asia"):
        balancer.get_instance_for_region("asia")
    assert balancer.get_instance_for_region("eu") == PLACES["eu"][0]
    balancer.close()
    assert httpx


def test_every_request_names_its_region():
    seen = []

    def answer(request):
        seen.append((request.method, request.headers.get(REGION_HEADER)))
        body = {"session_id": "session-1", "exists": True, "stm": [], "status": "healthy"}
        return httpx.Response(200, json=body, headers={"x-trace-id": "t"})

    client = FailoverClient(PLACES["us"], QUICK, region="us", transport=httpx.MockTransport(answer))
    with Regions({"us": PLACES["us"]}, clients={"us": client}) as regions:
        session = regions.create_session("n")
        session.stm()
        session.observe(["a"])
    assert {"GET", "POST"} <= {method for method, _ in seen}
    assert {region for _, region in seen} == {"us"}


def test_regions_name_themselves_to_the_clients_that_they_make():
    with Regions(PLACES) as regions:
        named = {name: client._transport.parts._region for name, client in regions.clients.items()}
    assert named == {name: {REGION_HEADER: name} for name in PLACES}
