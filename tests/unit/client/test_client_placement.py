"""A client asks the instance that the balancers ask."""

import fake_kato
import pytest
from fake_kato import QUICK, FakeKato

from kato_balancing.client import Instance, Placement
from kato_balancing.client.instances import listed
from kato_balancing.model import Balancer
from kato_balancing.placement import ring_of
from kato_balancing.placement.sample import session_ids

IDS = list(session_ids(20_000, seed=7))


def balancer(**changed):
    servers = [{"name": f"kato-{i}", "host": f"kato-{i}", **changed.get(f"kato-{i}", {})}
               for i in range(3)]  # fmt: skip
    return Balancer.of({"pool": {"servers": servers}})


def test_all_owners_are_the_balancers(program):
    placement = Placement(listed(fake_kato.URLS), program)
    ring = ring_of(balancer(), program)

    assert sum(placement.owner(i) == ring.owner(i) for i in IDS) == 20_000


def test_without_one_the_rest_agrees_too(program):
    placement = Placement(listed(fake_kato.URLS), program)
    ring = ring_of(balancer(**{"kato-1": {"draining": True}}), program)

    assert sum(placement.owner(i, frozenset({"kato-1"})) == ring.owner(i) for i in IDS) == 20_000


@pytest.fixture(params=["nginx", "haproxy"])
def program(request):
    return request.param


def test_reached_by_another_address(program):
    """Published ports: the balancer knows the instances by other addresses."""
    given = [Instance(f"http://127.0.0.1:900{i}", f"kato-{i}", f"kato-{i}:8000") for i in range(3)]
    placement, ring = Placement(listed(given), program), ring_of(balancer(), program)

    assert all(placement.owner(i) == ring.owner(i) for i in IDS[:2000])


HOSTS = {f"kato-{i}": f"kato-{i}.kato-replicas.kato.svc.cluster.local" for i in range(3)}


def test_found_by_srv_records_the_host_alone_counts(program):
    """As on Kubernetes; HAProxy knows the pods by their names there."""
    given = [Instance(f"http://10.0.0.{i}:8000", *pair) for i, pair in enumerate(HOSTS.items())]
    placement = Placement(listed(given), program)
    if program == "nginx":
        discovered = Balancer.of({"pool": {"discovery": {"name": "kato-replicas.kato.svc"}}})
        ring = ring_of(discovered, "nginx", HOSTS)
        left = {name: host for name, host in HOSTS.items() if name != "kato-1"}
        rest = ring_of(discovered, "nginx", left)
    else:
        ring = ring_of(balancer(), "haproxy")
        rest = ring_of(balancer(**{"kato-1": {"draining": True}}), "haproxy")

    assert all(placement.owner(i) == ring.owner(i) for i in IDS[:2000])
    assert all(placement.owner(i, frozenset({"kato-1"})) == rest.owner(i) for i in IDS[:2000])


def test_a_host_alone_is_another_place_than_host_and_port():
    alone = [Instance(f"http://{host}:8000", name, host) for name, host in HOSTS.items()]
    with_port = [Instance(f"http://{host}:8000", name) for name, host in HOSTS.items()]

    one, other = Placement(listed(alone)), Placement(listed(with_port))
    assert any(one.owner(i) != other.owner(i) for i in IDS[:100])


def test_some_hosts_alone_are_refused():
    given = [
        Instance("http://10.0.0.1:8000", "kato-0", "kato-0.kato"),
        Instance("http://kato-1:8000"),
    ]
    with pytest.raises(ValueError, match="either every balancer_address has a port, or none"):
        listed(given)


def test_nobody_left():
    placement = Placement(listed(fake_kato.URLS))
    assert placement.owner("s", frozenset(fake_kato.NAMES)) is None


def test_new_sessions_avoid_a_slow_instance():
    kato = FakeKato()
    client = kato.client()
    weighting = client._transport.parts.core.pool.weighting
    for name, seconds in (("kato-0", 0.01), ("kato-1", 0.2), ("kato-2", 0.01)):
        for _ in range(3):
            weighting.begin(name)
            weighting.end(name, seconds)

    owners = [client.owner(client.create_session("n")) for _ in range(100)]

    assert owners.count("kato-1") <= 3
    client.close()
    assert 100 <= len(kato.sessions) < kato.made  # the others are deleted, when there is time


def test_a_dead_instance_gets_no_new_session_after_it_was_noticed():
    kato = FakeKato()
    client = kato.client()
    table = client._transport.parts.core.pool.health
    kato.refusing.add("kato-0")
    for _ in range(table.settings.fall):
        table.report("kato-0", _bad())

    ring = Placement(listed(fake_kato.URLS))
    sessions = [client.create_session("n") for _ in range(100)]

    assert "kato-0" not in {ring.owner(one) for one in sessions}
    assert all(name != "kato-0" for name, _, _ in kato.calls)


def _bad():
    from kato_balancing.client._health_state import Check

    return Check(False, "refused")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "at least one"),
        ("http://kato-1:8000", "a list"),
        (["kato-1:8000"], "no URL"),
        (["http://kato-1/path"], "no URL"),
        (["http://kato-1:port"], "port.*is no URL"),
        (["http://[half"], "half.*is no URL"),
        (["http://kato-1", "http://kato-1"], "its own"),
        ({"a": "http://x", "b": "http://x"}, "its own URL"),
    ],
)
def test_wrong_instances(given, message):
    with pytest.raises(ValueError, match=message):
        listed(given)


def test_names():
    assert [i.name for i in listed(["http://10.0.0.1:8000", "http://KATO_2"])] == [
        "10-0-0-1",
        "kato-2",
    ]
    assert [i.name for i in listed(["http://h:1", "http://h:2"])] == ["h-1", "h-2"]


@pytest.mark.parametrize("change", [{"keep_alive": 5.0}, {"deadline": 0}, {"reserve": 1.0}])
def test_wrong_policies(change):
    import dataclasses

    with pytest.raises(ValueError, match=next(iter(change))):
        dataclasses.replace(QUICK, **change)
