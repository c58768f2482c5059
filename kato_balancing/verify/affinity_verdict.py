"""From which server answered what to whether affinity holds. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from kato_balancing.headers import REVEAL_REQUEST_HEADER, REVEAL_REQUEST_VALUE
from kato_balancing.verify.asking import Answer
from kato_balancing.verify.explain import failures_in_words
from kato_balancing.verify.options import CheckName
from kato_balancing.verify.report import CheckResult, Verdict
from kato_balancing.verify.ways import PATH, WAYS

SERVER_ERROR: Final = 500
FIRST_REFUSAL: Final = 300

SPREAD_SHARE: Final = 0.1
"""Share of split sessions from which the plain path itself counts as spread."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One request: which session, named in which way, and what came back."""

    session: str
    way: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class WayFigures:
    """One way of naming a session, against the plain path."""

    way: str
    requests: int
    named: int
    """Answers that say which server made them."""
    failed: int
    """No answer, or a status from 500."""
    refused: int
    """Turned away by the balancer itself, so that no server saw them."""
    sessions_as_path: int
    """Sessions with the same one server as by the plain path."""
    share_as_path: float | None
    """Of the sessions for which both ways have a server; ``None`` when there are none."""


@dataclass(frozen=True, slots=True)
class AffinityFigures:
    """How sessions and servers belong together."""

    sessions: int
    one_server: int
    """Sessions that had exactly one server in all ways."""
    one_server_share: float | None
    """Of the sessions that any server was seen for."""
    requests: int
    failed: int
    retried: int
    """Requests for which the balancer tried more than one server."""
    ways: tuple[WayFigures, ...]
    servers: dict[str, int]
    """Sessions per server by the plain path, by the server's name."""
    max_over_mean: float | None
    """The fullest server against the mean; with few sessions mostly chance."""


def judge(
    sightings: Iterable[Sighting],
    *,
    server_header: str,
    allow_one_server: bool,
    notes: tuple[str, ...] = (),
) -> CheckResult:
    """The verdict over all sightings."""
    seen = list(sightings)
    refusals_known = any(s.answer.from_kato for s in seen if s.way == PATH.name)
    owners = _owners(seen)
    figures = _figures(seen, owners, refusals_known)
    broken = _what_is_broken(figures, owners)
    open_questions = _what_is_open(figures, server_header, allow_one_server, _kinds(seen))
    if broken:
        verdict = Verdict.BROKEN
    elif open_questions:
        verdict = Verdict.UNDECIDED
    else:
        verdict = Verdict.HOLDS
    share = "-" if figures.one_server_share is None else f"{figures.one_server_share:.1%}"
    return CheckResult(
        name=CheckName.AFFINITY,
        verdict=verdict,
        figures=figures,
        summary=f"{share} of {figures.sessions} sessions on one server, "
        f"servers seen: {len(figures.servers)}, requests: {figures.requests}",
        messages=broken + open_questions + _asides(figures) + notes,
    )


Owners = Mapping[str, Mapping[str, frozenset[str]]]
"""Servers by session and way."""


def _owners(seen: list[Sighting]) -> Owners:
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for sighting in seen:
        ways = found[sighting.session]
        if sighting.answer.server is not None and not is_failed(sighting.answer):
            ways[sighting.way].add(sighting.answer.server)
    return {
        session: {way: frozenset(servers) for way, servers in ways.items()}
        for session, ways in found.items()
    }


def is_failed(answer: Answer) -> bool:
    """No answer, or one that says nothing about affinity. KATO knows no path ``//sessions``, so
    that its 404 is as good as any."""
    return answer.status is None or answer.status >= SERVER_ERROR


def _kinds(seen: list[Sighting]) -> Mapping[str, int]:
    return Counter(s.answer.kind for s in seen if is_failed(s.answer))


def _figures(seen: list[Sighting], owners: Owners, refusals_known: bool) -> AffinityFigures:
    everywhere = [frozenset().union(*ways.values()) for ways in owners.values()]
    placed = [servers for servers in everywhere if servers]
    one_server = sum(len(servers) == 1 for servers in placed)
    per_server = Counter(
        next(iter(ways[PATH.name])) for ways in owners.values() if len(ways.get(PATH.name, ())) == 1
    )
    for server in frozenset().union(*placed):
        per_server.setdefault(server, 0)
    total = per_server.total()
    return AffinityFigures(
        sessions=len(owners),
        one_server=one_server,
        one_server_share=round(one_server / len(placed), 4) if placed else None,
        requests=len(seen),
        failed=sum(is_failed(s.answer) for s in seen),
        retried=sum(len(s.answer.servers) > 1 for s in seen),
        ways=tuple(_way_figures(way.name, seen, owners, refusals_known) for way in WAYS),
        servers=dict(sorted(per_server.items())),
        max_over_mean=(
            round(max(per_server.values()) * len(per_server) / total, 3) if total else None
        ),
    )


def _way_figures(
    way: str, seen: list[Sighting], owners: Owners, refusals_known: bool
) -> WayFigures:
    answers = [s.answer for s in seen if s.way == way]
    pairs = [
        (ways[PATH.name], ways[way])
        for ways in owners.values()
        if ways.get(PATH.name) and ways.get(way)
    ]
    same = sum(by_path == by_way and len(by_way) == 1 for by_path, by_way in pairs)
    return WayFigures(
        way=way,
        requests=len(answers),
        named=sum(a.server is not None and not is_failed(a) for a in answers),
        failed=sum(is_failed(a) for a in answers),
        # KATO signs what it answers; where it is known to, an unsigned refusal is the balancer's.
        refused=sum(
            refusals_known
            and a.server is None
            and not a.from_kato
            and a.status is not None
            and FIRST_REFUSAL <= a.status < SERVER_ERROR
            for a in answers
        ),
        sessions_as_path=same,
        share_as_path=round(same / len(pairs), 4) if pairs else None,
    )


def _what_is_broken(figures: AffinityFigures, owners: Owners) -> tuple[str, ...]:
    messages = []
    cures = {way.name: way.cure for way in WAYS}
    split = sum(len(ways.get(PATH.name, ())) > 1 for ways in owners.values())
    if split:
        messages.append(
            f"{split} of {figures.sessions} sessions were answered by more than one server under "
            f"their plain path. Observations of one session that overlap will be lost. {PATH.cure}"
        )
    # Where the plain path is spread itself, that the other ways differ from it says nothing.
    if split <= SPREAD_SHARE * figures.sessions:
        messages += [
            f"Named by {way.way}, only {way.share_as_path:.1%} of the sessions reach the server "
            f"that their plain path reaches. {cures[way.way]}"
            for way in figures.ways
            if way.way != PATH.name and way.share_as_path is not None and way.share_as_path < 1
        ]
    if not messages and figures.one_server_share is not None and figures.one_server_share < 1:
        messages.append(
            f"Only {figures.one_server_share:.1%} of the sessions were answered by one server. "
            f"{PATH.cure}"
        )
    return tuple(messages)


def _what_is_open(
    figures: AffinityFigures,
    server_header: str,
    allow_one_server: bool,
    kinds: Mapping[str, int],
) -> tuple[str, ...]:
    messages: list[str] = []
    if not figures.servers and figures.failed < figures.requests:
        return (
            f"No answer carries the header {server_header}, so that nobody can tell which server "
            f"answered. Let the balancer add it when the request carries {REVEAL_REQUEST_HEADER}: "
            f"{REVEAL_REQUEST_VALUE}, or name the header it uses with --server-header.",
        )
    if figures.failed:
        messages.append(
            f"{figures.failed} of {figures.requests} requests failed, so that not every session "
            "could be followed. " + " ".join(failures_in_words(kinds))
        )
    for way in figures.ways:
        unnamed = way.requests - way.named - way.failed - way.refused
        if unnamed:
            messages.append(
                f"{unnamed} of {way.requests} answers to requests by {way.way} do not carry the "
                f"header {server_header}. Let the balancer add it to every answer, errors "
                "included: in nginx add_header ... always."
            )
    if len(figures.servers) == 1 and not allow_one_server:
        messages.append(
            f"Only one server was seen ({next(iter(figures.servers))}), which says nothing about "
            "affinity: any balancer would pass. Add a server, or accept it with "
            "--allow-one-server. Affinity by client address or by cookie looks like this too when "
            "all requests come from one machine."
        )
    return tuple(messages)


def _asides(figures: AffinityFigures) -> tuple[str, ...]:
    messages = [
        f"Requests by {way.way} are turned away by the balancer itself, which is safe: no server "
        "sees them."
        for way in figures.ways
        if way.refused
    ]
    if figures.retried:
        messages.append(
            f"The balancer tried more than one server for {figures.retried} of {figures.requests} "
            "requests: a server is down or refuses connections."
        )
    return tuple(messages)
