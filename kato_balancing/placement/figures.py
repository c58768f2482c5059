"""Figures of a ring: how even it is, and what a change moves."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from kato_balancing.placement.ring import Ring


@dataclass(frozen=True)
class Balance:
    """How sessions are spread over servers."""

    sessions: int
    per_server: Mapping[str, int]
    """Sessions of every server that may own some; in the pool's order."""
    expected: Mapping[str, float]
    """Part of the new sessions that each of these servers is to get, 0 to 1, by the ring alone."""
    unowned: int = 0
    """Sessions for which the balancer gives up the ring."""

    @property
    def mean(self) -> float:
        """Sessions per server when all had the same."""
        return fmean(self.per_server.values())

    @property
    def max_to_mean(self) -> float:
        """The fullest server's sessions, 1.0 being even. Weights make it larger on purpose."""
        return _to_mean(max, self.per_server)

    @property
    def min_to_mean(self) -> float:
        """The emptiest server's sessions."""
        return _to_mean(min, self.per_server)

    @property
    def expected_max_to_mean(self) -> float:
        """The same of the largest expected share. A sample scatters around it: of 20,000
        sessions the fullest of 10 servers has 1.033 in the median when all shares are equal, and in
        1 of 100 samples more than 1.066."""
        return _to_mean(max, self.expected)

    @property
    def expected_min_to_mean(self) -> float:
        """The same of the smallest expected share."""
        return _to_mean(min, self.expected)


def _to_mean(pick: Callable[[Iterable[float]], float], figures: Mapping[str, float]) -> float:
    mean = fmean(figures.values())
    return pick(figures.values()) / mean if mean else 1.0


@dataclass(frozen=True)
class Move:
    """Sessions whose owner differs between two rings."""

    sessions: int
    total: int
    """Sessions that move."""
    to_new: int
    """To a server that the pool before did not have."""
    from_gone: int
    """From a server that the pool after does not have, to one that both have."""
    old_to_old: int
    """Between servers that both pools have: moved for nothing, unless weights changed."""
    flows: Mapping[tuple[str, str], int]
    """Sessions by owner before and owner after."""

    @property
    def share(self) -> float:
        """Part of the sessions that move, 0 to 1."""
        return self.total / self.sessions if self.sessions else 0.0


def balance(ring: Ring, sessions: Iterable[str]) -> Balance:
    """How the ring spreads these sessions."""
    owners = Counter(map(ring.owner, sessions))
    return Balance(
        sessions=owners.total(),
        per_server={name: owners[name] for name in ring.servers},
        expected=ring.shares(),
        unowned=owners[None],
    )


def moved(before: Ring, after: Ring, sessions: Iterable[str]) -> Move:
    """What a change from one ring to the other does to these sessions."""
    pairs = Counter((before.owner(session), after.owner(session)) for session in sessions)
    flows = {
        (old, new): count
        for (old, new), count in sorted(pairs.items(), key=str)
        if old is not None and new is not None and old != new
    }
    old_names, new_names = set(before.servers), set(after.servers)
    to_new = sum(count for (_, new), count in flows.items() if new not in old_names)
    from_gone = sum(
        count for (old, new), count in flows.items() if new in old_names and old not in new_names
    )
    total = sum(flows.values())
    return Move(
        sessions=pairs.total(),
        total=total,
        to_new=to_new,
        from_gone=from_gone,
        old_to_old=total - to_new - from_gone,
        flows=flows,
    )
