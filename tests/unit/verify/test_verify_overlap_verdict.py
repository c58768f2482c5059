"""How many observations really overlapped decides whether anything was shown."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kato_balancing.verify import Verdict
from kato_balancing.verify.overlap import BURST, _judge, _mixed, _Writing
from kato_balancing.verify.sessions import StoredMemory


def judged(overlapped: int):
    tokens = [str(number) for number in range(100)]
    writing = _Writing(overlapped=set(tokens[:overlapped]), sent=100)
    writing.acknowledged["s"] = tokens
    memories = {"s": StoredMemory("s", tuple(tokens), 100)}
    return _judge(writing, memories, 100, ())


def test_too_little_overlap_decides_nothing():
    assert judged(4).verdict is Verdict.UNDECIDED
    assert "too few to show lost updates" in judged(4).messages[0]
    assert judged(5).verdict is Verdict.HOLDS


@given(sessions=st.integers(1, 9), observations=st.integers(1, 200))
def test_the_work_is_spread_evenly_in_bursts_and_every_token_is_unique(sessions, observations):
    names = tuple(f"s{number}" for number in range(sessions))
    work = _mixed(names, "run", observations)
    assert len({token for _, token in work}) == len(work) == observations
    counts = [sum(session == name for session, _ in work) for name in names]
    assert max(counts) - min(counts) <= 1
    assert len([1 for a, b in pairwise(work) if a[0] == b[0]]) >= sum(
        count - -(-count // BURST) for count in counts
    )
