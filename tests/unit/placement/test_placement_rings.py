"""What a ring promises, whichever program runs it."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kato_balancing.model import Balancer
from kato_balancing.placement import NotPredictable, balance, moved, ring_of
from kato_balancing.placement.nginx_canary import murmur2
from kato_balancing.placement.sample import session_ids

PROGRAMS = ["nginx", "haproxy"]
IDS = list(session_ids(20_000))
FEW = IDS[:2000]


def make(names, **more):
    servers = [s if isinstance(s, dict) else {"name": s, "host": s} for s in names]
    return Balancer.of({"pool": {"servers": servers}, **more})


HOSTS = st.one_of(
    st.builds("10.{}.{}.{{}}".format, st.integers(0, 255), st.integers(0, 255)),
    st.from_regex(r"[a-z]{1,9}-{}\.[a-z]{1,9}\.svc", fullmatch=True),
    st.from_regex(r"[a-z]{1,9}{}", fullmatch=True),
)
"""What numbered servers may be called, with a place for the number."""


def numbered(count, first=0):
    return [f"kato-{i}" for i in range(first, first + count)]


@pytest.mark.parametrize("program", PROGRAMS)
def test_known_owners(program):
    """As the real servers placed them."""
    ring = ring_of(make(numbered(3)), program)
    expected = {
        "nginx": ["kato-0", "kato-0", "kato-0", "kato-2", "kato-0", "kato-1"],
        "haproxy": ["kato-2", "kato-2", "kato-0", "kato-0", "kato-1", "kato-0"],
    }
    assert [ring.owner(f"session-{i}") for i in range(6)] == expected[program]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("count", [3, 4, 7, 10])
@settings(deadline=None, max_examples=25, derandomize=True)
@given(host=HOSTS, first=st.integers(0, 200))
def test_whatever_the_servers_are_called_the_ring_is_even(program, count, host, first):
    """No sample: what the servers own of the ring. Sessions scatter around it by chance."""
    hosts = [host.format(number) for number in range(first, first + count)]
    servers = [{"name": f"s-{h.replace('.', '-')}", "host": h} for h in hosts]
    shares = ring_of(make(servers), program).shares()

    assert list(shares) == [server["name"] for server in servers]
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares.values()) * count <= 1.05
    assert min(shares.values()) * count >= 0.95


@pytest.mark.parametrize(
    ("program", "limit"),
    [("nginx", 1.07), ("haproxy", 1.05)],
)
@pytest.mark.parametrize("count", [3, 4, 7, 10])
def test_the_fullest_server_is_near_the_mean(program, limit, count):
    """With ten servers chance alone is above 1.05 in 1 of 11 samples, and above 1.07 in 1 of 200:
    the names and the sample are fixed."""
    found = balance(ring_of(make(numbered(count)), program), IDS)

    assert found.sessions == 20_000
    assert found.unowned == 0
    assert found.max_to_mean <= limit
    assert found.min_to_mean >= 2 - limit - 0.02


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("count", [3, 6, 9])
def test_a_new_server_takes_its_share_and_moves_nothing_else(program, count):
    before = ring_of(make(numbered(count)), program)
    after = ring_of(make(numbered(count + 1)), program)
    found = moved(before, after, IDS)

    assert found.old_to_old == found.from_gone == 0
    assert found.total == found.to_new
    assert found.share == pytest.approx(1 / (count + 1), abs=0.02)
    assert {new for _, new in found.flows} == {f"kato-{count}"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_server_that_leaves_moves_its_own_sessions_only(program):
    before = ring_of(make(numbered(5)), program)
    after = ring_of(make([n for n in numbered(5) if n != "kato-2"]), program)
    found = moved(before, after, IDS)

    assert found.old_to_old == found.to_new == 0
    assert found.total == found.from_gone == balance(before, IDS).per_server["kato-2"]


@pytest.mark.parametrize("program", PROGRAMS)
@settings(deadline=None, max_examples=10, derandomize=True)
@given(order=st.permutations(numbered(5)))
def test_the_order_of_the_servers_is_irrelevant(program, order):
    listed, shuffled = ring_of(make(numbered(5)), program), ring_of(make(order), program)

    assert [listed.owner(i) for i in FEW] == [shuffled.owner(i) for i in FEW]


@pytest.mark.parametrize("program", PROGRAMS)
def test_weights_are_shares(program):
    servers = [{"name": n, "host": n, "weight": w} for n, w in zip("abc", (3, 2, 1), strict=True)]
    found = balance(ring_of(make(servers), program), IDS).per_server

    assert [found[n] / 200 for n in "abc"] == pytest.approx([50, 33.3, 16.7], abs=2)


@pytest.mark.parametrize("weight", [1, 2, 4])
def test_on_nginx_another_weight_moves_only_what_its_server_wins_or_loses(weight):
    def weighted(heaviest):
        weights = {"a": heaviest, "b": 2, "c": 1}
        return ring_of(
            make([{"name": n, "host": n, "weight": w} for n, w in weights.items()]), "nginx"
        )

    change = moved(weighted(3), weighted(weight), IDS)

    assert change.total > 0
    assert all("a" in flow for flow in change.flows)


POOLS = {
    "weights": make([{"name": f"s{w}", "host": f"s{w}", "weight": w} for w in (3, 2, 1)]),
    "draining": make([{"name": n, "host": n, "draining": n == "b"} for n in "abc"]),
    "backup": make([{"name": n, "host": n, "backup": n == "b"} for n in "abc"]),
    "only": make(["only"]),
    "canary": make(
        numbered(3),
        canary={"pool": {"servers": [{"name": n, "host": n} for n in ("a", "b")]}, "share": 30},
    ),
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("pool", POOLS)
def test_a_sample_scatters_around_the_shares_of_the_ring(program, pool):
    found = balance(ring_of(POOLS[pool], program), IDS)

    assert list(found.expected) == list(found.per_server)
    assert sum(found.expected.values()) == pytest.approx(1)
    for name, count in found.per_server.items():
        share = found.expected[name]
        four_deviations = 4 * (share * (1 - share) / 20_000) ** 0.5
        assert count / 20_000 == pytest.approx(share, abs=four_deviations)


def test_shares_know_that_nginx_gives_up_a_ring():
    servers = [{"name": f"s{i}", "host": f"s{i}", "draining": i > 0} for i in range(60)]
    found = balance(ring_of(make(servers), "nginx"), IDS)

    assert found.expected["s0"] == pytest.approx(found.per_server["s0"] / 20_000, abs=0.02)
    assert found.expected["s0"] == pytest.approx(1 - found.unowned / 20_000, abs=0.02)


def test_a_canary_for_new_sessions_is_expected_to_get_its_last_share():
    """The sample's sessions are older."""
    new = {"pool": {"servers": [{"name": "new", "host": "new"}]}, "share": 40}
    late = {**new, "mode": "NEW_SESSIONS", "since": 2_000_000_000_000}
    found = balance(ring_of(make(numbered(3), canary=late), "nginx"), FEW)

    assert found.per_server["new"] == 0
    assert found.expected["new"] == pytest.approx(0.4)


@pytest.mark.parametrize("program", PROGRAMS)
def test_draining_moves_only_that_servers_sessions(program):
    servers = [{"name": n, "host": n} for n in numbered(4)]
    before = ring_of(make(servers), program)
    after = ring_of(make([servers[0], {**servers[1], "draining": True}, *servers[2:]]), program)
    found = moved(before, after, IDS)

    assert after.servers == ("kato-0", "kato-2", "kato-3")
    assert found.total == found.from_gone == balance(before, IDS).per_server["kato-1"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_backups_own_nothing(program):
    spare = {"name": "spare", "host": "spare", "backup": True}
    plain, backed = (
        ring_of(make(numbered(3)), program),
        ring_of(make([*numbered(3), spare]), program),
    )

    assert "spare" not in backed.servers
    assert [plain.owner(i) for i in FEW] == [backed.owner(i) for i in FEW]


@pytest.mark.parametrize("program", PROGRAMS)
def test_one_server_owns_all(program):
    ring = ring_of(make(["a"]), program)

    assert {ring.owner(i) for i in FEW} == {"a"}


def test_what_identifies_a_server():
    """nginx knows it by its address, HAProxy by its name."""
    named = make([{"name": f"kato-{i}", "host": f"192.0.2.{i}"} for i in range(3)])
    renamed = make([{"name": f"other-{i}", "host": f"192.0.2.{i}"} for i in range(3)])
    readdressed = make([{"name": f"kato-{i}", "host": f"198.51.100.{i}"} for i in range(3)])

    def owners(balancer, program):
        ring = ring_of(balancer, program)
        return [str(ring.owner(i))[-1] for i in FEW]

    assert owners(named, "nginx") == owners(renamed, "nginx")
    assert owners(named, "nginx") != owners(readdressed, "nginx")
    assert owners(named, "haproxy") == owners(readdressed, "haproxy")
    assert owners(named, "haproxy") != owners(renamed, "haproxy")


def test_nginx_gives_up_a_ring_on_which_nearly_all_are_down():
    servers = [{"name": f"s{i}", "host": f"s{i}", "draining": i > 0} for i in range(60)]
    found = balance(ring_of(make(servers), "nginx"), FEW)

    assert 0 < found.unowned < 2000
    assert found.per_server.keys() == {"s0"}


def found(count):
    """As nginx finds the pods of a stack."""
    hosts = {f"kato-{i}": f"kato-{i}.kato-replicas.kato.svc.cluster.local" for i in range(count)}
    balancer = Balancer.of({"pool": {"discovery": {"name": "kato-replicas.kato.svc"}}})
    return ring_of(balancer, "nginx", hosts)


@pytest.mark.parametrize("count", [3, 6, 9])
def test_a_pod_that_dns_finds_takes_its_share_and_moves_nothing_else(count):
    change = moved(found(count), found(count + 1), IDS)

    assert change.total == change.to_new
    assert {new for _, new in change.flows} == {f"kato-{count}"}
    assert change.share == pytest.approx(1 / (count + 1), abs=0.02)
    assert balance(found(count), IDS).max_to_mean <= 1.07


def with_canary(share, **more):
    new = {"pool": {"servers": [{"name": "new-0", "host": "new-0"}]}, "share": share, **more}
    return make(numbered(3), canary=new)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_larger_share_moves_sessions_to_the_canary_only(program):
    rings = [ring_of(make(numbered(3)), program)]
    rings += [ring_of(with_canary(share), program) for share in (0, 5, 12.34, 50, 100)]
    moves = [moved(before, after, FEW) for before, after in pairwise(rings)]

    assert moves[0].total == 0
    assert {new for move in moves for _, new in move.flows} == {"new-0"}
    assert sum(move.total for move in moves) == len(FEW)
    assert moves[1].share == pytest.approx(0.05, abs=0.015)
    assert rings[1].servers == ("kato-0", "kato-1", "kato-2", "new-0")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_step_counts_for_the_sessions_born_into_it(program):
    first, second = 1_700_000_000_000, 1_800_000_000_000
    ring = ring_of(
        with_canary(
            100, mode="NEW_SESSIONS", since=second, earlier=[{"since": first, "share": 50}]
        ),
        program,
    )
    share = {
        birth: sum(ring.owner(f"s-{i}-{birth}") == "new-0" for i in range(400)) / 400
        for birth in (first - 1, first, second - 1, second)
    }

    assert (share[first - 1], share[second]) == (0, 1)
    assert 0.4 < share[first] < 0.6
    assert 0.4 < share[second - 1] < 0.6
    assert ring.owner("without-a-birth") != "new-0"


def test_the_hash_of_split_clients():
    """Known values of MurmurHash2 with seed 0, for every length of the rest."""
    texts = [b"", b"a", b"ab", b"abc", b"abcd", b"abcde"]
    known = [0, 0x92685F5E, 0x1AA14063, 0x13577C9B, 0x26873021, 0x5F09A8DE]
    assert [murmur2(text) for text in texts] == known


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("affinity", {"affinity": "CLIENT_IP"}),
        ("affinity", {"affinity": "NONE"}),
        ("pool.discovery", {"pool": {"discovery": {"name": "kato"}}}),
        ("canary.pool.discovery", {"canary": {"pool": {"discovery": {"name": "c"}}, "share": 1}}),
        (
            "canary.pool",
            {"canary": {"pool": {"servers": [{"name": "a", "host": "c"}]}, "share": 1}},
        ),
    ],
)
def test_what_no_ring_decides_is_refused(path, data):
    model = Balancer.of({"pool": {"servers": [{"name": "a", "host": "a"}]}, **data})

    with pytest.raises(NotPredictable) as caught:
        ring_of(model, "nginx")
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: {caught.value.message}"


def test_the_sample_has_katos_form_and_is_the_same_at_every_call():
    assert list(session_ids(3)) == list(session_ids(3)) == IDS[:3]
    assert IDS[0] != next(session_ids(1, seed=1))
    assert len(set(IDS)) == 20_000
    for name in IDS[:100]:
        word, random_part, moment = name.split("-")
        assert (word, len(random_part)) == ("session", 32)
        int(random_part, 16)
        assert len(moment) == 13
