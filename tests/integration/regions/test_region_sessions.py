"""Two real regions, each with its own Redis: a session is served where it lives or not at all."""

import ipaddress
import json
from collections.abc import Callable

import httpx
import pytest
from geo_dns_stage import wait_for
from pulumi_stack import PulumiStack, must

from dev.free_ports import free_port
from kato_balancing.client import RegionDown, Regions
from kato_balancing.headers import REGION_HEADER, REGION_HOP_HEADER

PROGRAM = """
import json
import pulumi
import components
config = pulumi.Config()
host = config.require("host")
ports = json.loads(config.require("ports"))
PARTS = {
    "eu": ("NginxBalancer", "kato-lb/nginx:1.30", "REDIRECT"),
    "us": ("HaproxyBalancer", "kato-lb/haproxy:3.2", "PROXY"),
    "asia": ("NginxBalancer", "kato-lb/nginx:1.30", "PROXY"),
    "sa": ("HaproxyBalancer", "kato-lb/haproxy:3.2", "REDIRECT"),
}
urls = {name: f"http://{host}:{ports[name]}" for name in PARTS}
running = {}
for name in ("eu", "us"):
    stores = components.KatoDataStores(f"{name}-stores", {"redis": {"image": "kato-lb/redis:8.0"}})
    running[name] = stores, components.KatoBackend(f"{name}-kato", {
        "image": "kato-lb/kato-stand-in:6.3.0",
        "stores": {"environment": stores.environment, "network": stores.network},
        "replicas": 1,
    })
for name, store in (("eu", "eu"), ("us", "us"), ("asia", "eu"), ("sa", "us")):
    stores, backend = running[store]
    kind, image, answer = PARTS[name]
    getattr(components, kind)(f"{name}-lb", {
        "servers": backend.servers,
        "network": stores.network,
        "image": image,
        "publish": {"port": ports[name], "address": host},
        "rules": {"region": {
            "name": name,
            "others": {other: url for other, url in urls.items() if other != name},
            "answer": answer,
        }},
    })
"""
"""Four balancers, one for each program and answer. ``asia`` and ``sa`` are names of their own in
front of the stores of ``eu`` and ``us``: what counts there is the answer, not the session."""


@pytest.fixture(scope="module")
def stack(new_region_stack: Callable[[str], PulumiStack]) -> PulumiStack:
    made = new_region_stack("regions")
    made.use_program(PROGRAM)
    # This machine as containers see it; an engine names the gateway from its second start on only.
    form = "{{(index .IPAM.Config 0).Subnet}}"
    subnet = must(["docker", "network", "inspect", "bridge", "--format", form]).strip()
    host = str(ipaddress.ip_network(subnet)[1])
    ports = {name: free_port() for name in ("eu", "us", "asia", "sa")}
    made.configure(host=host, ports=json.dumps(ports))
    made.up()
    made.settings["urls"] = {name: f"http://{host}:{port}" for name, port in ports.items()}
    return made


@pytest.fixture(scope="module")
def urls(stack: PulumiStack) -> dict[str, str]:
    return dict(stack.settings["urls"])


def born_in(url: str) -> str:
    made = httpx.post(f"{url}/sessions", json={"node_id": "n"})
    assert made.status_code == 200, made.text
    return str(made.json()["session_id"])


@pytest.mark.parametrize("at", ["eu", "sa"])
def test_another_regions_session_is_redirected_with_method_path_and_query(
    urls: dict[str, str], at: str
) -> None:
    other = {"eu": "us", "sa": "eu"}[at]

    answer = httpx.post(
        f"{urls[at]}/sessions/abc/extend?ttl_seconds=60&x=%2F", headers={REGION_HEADER: other}
    )

    assert answer.status_code == 307
    assert answer.headers["location"] == f"{urls[other]}/sessions/abc/extend?ttl_seconds=60&x=%2F"


@pytest.mark.parametrize("at", ["eu", "sa"])
def test_a_client_that_follows_reaches_its_session(urls: dict[str, str], at: str) -> None:
    other = {"eu": "us", "sa": "eu"}[at]
    session = born_in(urls[other])

    answer = httpx.post(
        f"{urls[at]}/sessions/{session}/observe",
        json={"strings": ["a"], "vectors": [], "emotives": {}},
        headers={REGION_HEADER: other},
        follow_redirects=True,
    )

    assert (answer.status_code, answer.json()["stm_length"]) == (200, 1)


@pytest.mark.parametrize("at", ["us", "asia"])
def test_another_regions_session_is_proxied(urls: dict[str, str], at: str) -> None:
    other = {"us": "eu", "asia": "us"}[at]
    session = born_in(urls[other])

    answer = httpx.post(
        f"{urls[at]}/sessions/{session}/observe",
        json={"strings": ["a"], "vectors": [], "emotives": {}},
        headers={REGION_HEADER: other},
    )

    assert (answer.status_code, answer.json()["stm_length"]) == (200, 1)
    stm = httpx.get(f"{urls[other]}/sessions/{session}/stm", headers={REGION_HEADER: other})
    assert stm.json()["stm"] == [["a"]]


@pytest.mark.parametrize("at", ["eu", "us", "asia", "sa"])
def test_an_unknown_region_is_refused(urls: dict[str, str], at: str) -> None:
    answer = httpx.get(f"{urls[at]}/sessions/abc/stm", headers={REGION_HEADER: "mars"})

    assert answer.status_code == 421
    assert answer.json()["detail"] == f"No session of that region here: this is {at}"


@pytest.mark.parametrize("at", ["eu", "us", "asia", "sa"])
def test_the_own_region_and_none_are_served_here(urls: dict[str, str], at: str) -> None:
    session = born_in(urls[at])

    for headers in ({}, {REGION_HEADER: at}, {REGION_HEADER: ""}):
        answer = httpx.get(f"{urls[at]}/sessions/{session}/stm", headers=headers)
        assert answer.status_code == 200


@pytest.mark.parametrize("at", ["eu", "us", "asia", "sa"])
def test_what_was_sent_on_is_not_sent_on_again(urls: dict[str, str], at: str) -> None:
    sent_on = {REGION_HEADER: "us" if at != "us" else "eu", REGION_HOP_HEADER: "asia"}

    assert httpx.get(f"{urls[at]}/sessions/abc/stm", headers=sent_on).status_code == 421


@pytest.mark.parametrize("at", ["eu", "us", "asia", "sa"])
def test_private_paths_stay_private(urls: dict[str, str], at: str) -> None:
    other = "us" if at != "us" else "eu"

    assert httpx.get(f"{urls[at]}/status", headers={REGION_HEADER: other}).status_code == 404


def test_a_session_survives_the_return_of_its_region(
    stack: PulumiStack, urls: dict[str, str]
) -> None:
    places = {name: urls[name] for name in ("eu", "us")}
    balancer = stack.container("eu-lb-")
    with Regions(places, nearest=["eu"]) as regions:
        session = regions.create_session("n")
        assert session.region == "eu"
        assert session.observe(["before"])["stm_length"] == 1
        must(["docker", "stop", "--time", "5", balancer], limit=60)
        try:
            wait_for(lambda: not _serves(regions, session.handle), "the region is seen to be down")
            with pytest.raises(RegionDown):
                regions.attach(session.handle)
            assert regions.create_session("n").region == "us"
        finally:
            must(["docker", "start", balancer], limit=60)
        wait_for(lambda: _serves(regions, session.handle), "the region is back")
        again = regions.attach(session.handle)
        assert again.observe(["after"])["stm_length"] == 2
        assert again.stm() == [["before"], ["after"]]


def test_a_client_at_the_wrong_region_is_never_served_by_it(urls: dict[str, str]) -> None:
    with Regions({"eu": urls["eu"], "us": urls["us"]}, nearest=["us"]) as right:
        session = right.create_session("n")
        session.observe(["a"])
        # As with a DNS name that leads to another region than the session's.
        with Regions({"us": urls["asia"], "eu": urls["eu"]}) as misled:
            assert misled.attach(session.handle).stm() == [["a"]]


def _serves(regions: Regions, handle: str) -> bool:
    try:
        regions.attach(handle)
    except RegionDown:
        return False
    return True
