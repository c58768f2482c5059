"""Lost, doubled and the rest: the accounting between what was written and what is stored."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kato_balancing.verify.accounting import Account, account

tokens = st.sets(st.text(alphabet="abcdefgh", min_size=1, max_size=3), max_size=12)


@given(written=tokens, split=st.randoms(use_true_random=False))
def test_all_that_was_acknowledged_and_stored_once_is_in_order(written, split):
    acknowledged = {t for t in written if split.random() < 0.5}
    stored = list(acknowledged)
    split.shuffle(stored)
    assert account(acknowledged, written - acknowledged, stored) == Account((), (), (), ())


@given(
    acknowledged=tokens,
    others=tokens,
    stored=st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=3), max_size=30),
)
def test_every_token_lands_in_the_class_that_its_count_says(acknowledged, others, stored):
    unacknowledged = others - acknowledged
    found = account(acknowledged, unacknowledged, stored)
    counts = Counter(stored)
    for token in acknowledged | unacknowledged | set(stored):
        ours = token in acknowledged or token in unacknowledged
        assert (token in found.lost) == (token in acknowledged and counts[token] == 0)
        assert (token in found.doubled) == (ours and counts[token] > 1)
        assert (token in found.unacknowledged_present) == (
            token in unacknowledged and counts[token] > 0
        )
        assert (token in found.foreign) == (not ours)
    kept = len(acknowledged) - len(found.lost)
    known = kept + len(found.unacknowledged_present) + len(found.foreign)
    assert known == len(counts)


@given(acknowledged=tokens, stored=st.lists(st.sampled_from("abcdefgh"), max_size=20))
def test_the_order_of_what_is_stored_does_not_matter(acknowledged, stored):
    assert account(acknowledged, (), stored) == account(acknowledged, (), sorted(stored))


def test_a_token_that_was_also_acknowledged_is_not_unacknowledged():
    assert account(["a"], ["a"], ["a"]) == Account((), (), (), ())
