"""Ids, weights and cookies follow from names and weights, never from places in the list."""

from hypothesis import given
from hypothesis import strategies as st

from kato_balancing import haproxy_identity
from kato_balancing.cookies import cookie_value
from kato_balancing.haproxy_identity import IDS, ring_weights, server_ids
from kato_balancing.haproxy_pools import purges
from kato_balancing.model import Pool, Server


def pool(*names: str, weights: tuple[int, ...] = ()) -> Pool:
    given_weights = weights or (1,) * len(names)
    return Pool(
        servers=tuple(
            Server(name=n, host="kato", port=i, weight=w)
            for i, (n, w) in enumerate(zip(names, given_weights, strict=True), start=1)
        )
    )


NAMES = st.lists(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True),
    min_size=1,
    max_size=30,
    unique=True,
)


@given(names=NAMES, order=st.randoms(use_true_random=False))
def test_ids_are_unique_and_the_order_is_irrelevant(names, order):
    shuffled = list(names)
    order.shuffle(shuffled)
    ids = server_ids(pool(*names))

    assert server_ids(pool(*shuffled)) == ids
    assert len(set(ids.values())) == len(names)
    assert all(1 <= number <= IDS for number in ids.values())


def test_a_replica_with_the_next_number_keeps_the_others_ids():
    before = server_ids(pool(*(f"kato-{i}" for i in range(200))))
    after = server_ids(pool(*(f"kato-{i}" for i in range(256))))

    assert {name: after[name] for name in before} == before


def test_two_names_of_one_hash_get_two_ids(monkeypatch):
    monkeypatch.setattr(haproxy_identity, "_id", lambda _, attempt: 7 + attempt)

    assert server_ids(pool("kato-10", "kato-9", "b", "a")) == {
        "a": 7,
        "b": 8,
        "kato-9": 9,
        "kato-10": 10,
    }


def test_weights_are_as_large_as_haproxy_takes_and_in_proportion():
    assert ring_weights(pool("a", "b")) == {"a": 256, "b": 256}
    assert ring_weights(pool("a", "b", "c", weights=(3, 2, 1))) == {"a": 255, "b": 170, "c": 85}
    assert ring_weights(pool("a", "b", weights=(100, 1))) == {"a": 200, "b": 2}


def test_a_cookie_says_nothing_and_is_always_the_same():
    values = {cookie_value(f"kato-{i}") for i in range(256)}

    assert len(values) == 256
    assert values == {cookie_value(f"kato-{i}") for i in range(256)}
    assert all(len(value) == 16 and set(value) <= set("0123456789abcdef") for value in values)


def test_purges_suffice_for_haproxys_halving():
    for idle in (1, 2, 3, 32, 64, 640, 10_000):
        left, needed, used = idle, idle, idle
        for _ in range(purges(idle)):
            exceeding = left - max(used, needed)
            needed, used = max((needed + used) // 2, used), 0
            if exceeding > 0:
                left -= exceeding // 2 + exceeding % 2
        assert left == 0, idle
