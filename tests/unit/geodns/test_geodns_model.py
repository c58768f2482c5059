"""What a DNS of regions refuses, by the field's path."""

from typing import Any

import pytest
from geodns_samples import inputs

from kato_balancing.geodns import GeoDns
from kato_balancing.problems import InvalidInput


def region(**more: Any) -> dict[str, Any]:
    return {**inputs()["regions"][0], **more}


REFUSED = {
    "zone": ({"zone": "kato"}, "zone", "a domain"),
    "zone with a quote": ({"zone": 'a".example.com'}, "zone", "a domain"),
    "record": ({"record": "a.b"}, "record", "one label"),
    "own name server": (
        {"name_servers": ["ns1.kato.example.com"]}, "name_servers[0]", "outside of",
    ),
    "address for a name server": ({"name_servers": ["192.0.2.1"]}, "name_servers[0]", "outside of"),
    "no backup": ({"backup": {}}, "backup", "either region or addresses"),
    "unknown backup": ({"backup": {"region": "mars"}}, "backup.region", "is no region"),
    "draining backup": (
        {"backup": {"region": "eu"}, "draining": ["eu"]}, "backup.region", "is draining",
    ),
    "unknown draining": ({"draining": ["mars"]}, "draining[0]", "is no region"),
    "all draining": ({"draining": ["eu", "us", "asia", "sa"]}, "draining", "leaves no region"),
    "network twice": (
        {"networks": [{"network": "10.0.0.0/8", "region": "eu"}] * 2},
        "networks[1].network", "take one out",
    ),
    "network nowhere": (
        {"networks": [{"network": "10.0.0.0/8"}]}, "networks[0]", "either region or location",
    ),
    "network in an unknown region": (
        {"networks": [{"network": "10.0.0.0/8", "region": "mars"}]},
        "networks[0].region", "is no region",
    ),
    "slow checks": ({"checks": {"timeout": 3}}, "checks", "at most 5"),
    "a text that is in others": ({"checks": {"text": "healthy"}}, "checks.text", "unhealthy"),
    "the same name": ({"regions": [region(), region(addresses=["::1"])]}, "regions[1].name", "own"),
    "the same address": (
        {"regions": [region(), region(name="b")]}, "regions[1].addresses", "regions[0]",
    ),
    "a query in the health URL": (
        {"regions": [region(health_url="http://a/?x=1")]}, "regions[0].health_url", "a URL such as",
    ),
    "latitude": (
        {"regions": [region(location={"latitude": 91.0, "longitude": 0.0})]},
        "regions[0].location.latitude", "at most 90",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    changed, path, rule = REFUSED[case]

    with pytest.raises(InvalidInput) as caught:
        GeoDns.of(inputs(**changed))

    assert [(path, True)] == [(p.path, rule in p.message) for p in caught.value.problems]


def test_the_promise_holds_by_default() -> None:
    dns = GeoDns.of(inputs())

    assert dns.checks.detection == 4
    assert dns.name == "kato.example.com"
    assert GeoDns.of(inputs(record="api")).name == "api.kato.example.com"


def test_a_backup_region_stands_for_its_addresses() -> None:
    assert GeoDns.of(inputs(backup={"region": "us"})).backup_addresses == ("192.0.2.2",)
