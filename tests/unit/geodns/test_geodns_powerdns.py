"""What PowerDNS is given."""

import re

import pytest
from geodns_samples import inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from kato_balancing.geodns import GeoDns, powerdns
from kato_balancing.geodns.model import MOST_NETWORKS
from kato_balancing.problems import InvalidInput


def program(text: str, kind: str = "A") -> str:
    """The Lua program of a record, put together as PowerDNS 5 does."""
    [record] = re.findall(rf"IN LUA {kind} \( (.*?) \)(?=\n\S|\n?\Z)", text, re.DOTALL)
    return "".join(re.findall(r'"([^"]*)"', record))


def test_every_text_of_the_record_is_short_enough_and_ends_with_a_space() -> None:
    networks = [{"network": f"10.{n}.0.0/16", "region": "us"} for n in range(200)]
    text = powerdns.zone(GeoDns.of(inputs(networks=networks)))

    chunks = re.findall(r'"([^"]*)"', text)
    assert len(chunks) > 10
    assert all(len(chunk) <= 255 and chunk.endswith(" ") for chunk in chunks)


def test_the_largest_table_fits_into_a_record() -> None:
    networks = [
        {"network": f"2001:db8:{n:x}:ffff:ffff:ffff:ffff:0/112", "region": "us"}
        for n in range(MOST_NETWORKS)
    ]
    assert len(powerdns.zone(GeoDns.of(inputs(networks=networks)))) < 130_000


def test_a_text_with_quotes_is_written_without_any() -> None:
    model = GeoDns.of(inputs(checks={"text": '"status":"healthy"'}))

    written = program(powerdns.zone(model))
    [codes] = re.findall(r"string\.char\(([^)]*)\)", written)
    assert "".join(chr(int(code)) for code in codes.split(",")) == '"status":"healthy"'


def test_every_region_is_checked_at_every_answer_also_one_that_drains() -> None:
    written = program(powerdns.zone(GeoDns.of(inputs(draining=["us"]))))

    assert re.findall(r"serving\['(\w+)'\]=up", written) == ["eu", "us", "asia", "sa"]
    assert "order={'eu', 'asia', 'sa'}" in written


def test_records_are_of_the_kinds_that_there_are_addresses_for() -> None:
    both = inputs()
    both["regions"][0]["addresses"] = ["192.0.2.1", "2001:db8::1"]

    assert "LUA AAAA" not in powerdns.zone(GeoDns.of(inputs()))
    assert "LUA AAAA" in powerdns.zone(GeoDns.of(both))


def test_a_drain_changes_the_zone_alone() -> None:
    before, after = (
        powerdns.files(GeoDns.of(inputs(draining=draining)), "/c") for draining in ([], ["eu"])
    )

    assert [name for name in before if before[name] != after[name]] == [powerdns.ZONE_FILE]
    assert powerdns.ZONE_FILE not in powerdns.READ_AT_START


HOSTILE = st.text(st.sampled_from(list("'\";\\\n\0()[]{}$`|& -.:/@a0é")), max_size=30)
LEAVES = ["zone", "record", "name_servers", "name", "addresses", "health_url", "network", "text"]


@settings(deadline=None, max_examples=300, derandomize=True)
@given(leaf=st.sampled_from(LEAVES), text=HOSTILE)
def test_hostile_text_is_refused_or_stays_text(leaf: str, text: str) -> None:
    data = inputs()
    if leaf in ("zone", "record"):
        data[leaf] = text
    elif leaf == "name_servers":
        data[leaf] = [text]
    elif leaf == "network":
        data["networks"] = [{"network": text, "region": "eu"}]
    elif leaf == "text":
        data["checks"] = {"text": text}
    else:
        data["regions"][0][leaf] = [text] if leaf == "addresses" else text
    try:
        model = GeoDns.of(data)
    except InvalidInput:
        return
    written = powerdns.zone(model)
    assert written.count("IN LUA") in (1, 2)
    lua = re.sub(r"'[A-Za-z0-9._:/\[\]@~-]*'", "", program(written))
    assert "'" not in lua
    assert not set(lua) & set("\\`|$&")


@pytest.mark.parametrize("setting", ["enable-lua-records=yes", "edns-subnet-processing=yes"])
def test_settings_that_the_answers_need(setting: str) -> None:
    assert setting in powerdns.settings(GeoDns.of(inputs()), "/c").splitlines()
