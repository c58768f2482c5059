"""What the log's lines add up to: plain numbers, so that a line costs microseconds."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from kato_balancing.monitoring.exporter.log_lines import Ejection, Request, UnreadableLine, read
from kato_balancing.monitoring.exporter.server_names import ServerNames
from kato_balancing.monitoring.exporter.session_table import SessionTable

NO_SERVER = "none"
"""Stands for the server of a request that reached none."""

_FAILURES = ("500", "502", "503", "504")
"""Counted from 0 on: of a number that begins above 0, Prometheus does not see the first."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds in seconds; the last one is what a balancer waits for KATO by default."""


@dataclass
class Durations:
    """How long a server's requests took."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    """Requests by bucket, those above the last bound at the end."""
    total: float = 0.0
    """Seconds."""

    def add(self, seconds: float) -> None:
        """Count a request."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


class Traffic:
    """Everything that the log said since the start. Not for several threads at once."""

    def __init__(self, names: ServerNames, sessions: SessionTable) -> None:
        self._names = names
        self.sessions = sessions
        self.requests = Counter(
            {(server, code): 0 for server in (*names.known, NO_SERVER) for code in _FAILURES}
        )
        """By server and status code."""
        self.durations = {name: Durations() for name in names.known}
        self.retries = dict.fromkeys(names.known, 0)
        """By the server that was given up."""
        self.ejections = dict.fromkeys(names.known, 0)
        self.session_answers = 0
        self.session_moves = 0
        self.lost_update_suspects = 0
        self.lines = 0
        self.unreadable_lines = 0

    def take(self, datagrams: Iterable[bytes], now: float) -> None:
        """Count lines of the log that came in by now."""
        for datagram in datagrams:
            self.lines += 1
            try:
                line = read(datagram)
            except UnreadableLine:
                self.unreadable_lines += 1
                continue
            if isinstance(line, Request):
                self._request(line, now)
            elif isinstance(line, Ejection):
                self._ejection(line)

    def _request(self, line: Request, now: float) -> None:
        servers = [self._names.of(peer) for peer in line.tried]
        server = servers[-1] if servers else NO_SERVER
        self.requests[server, line.code] += 1
        durations = self.durations.get(server)
        if durations is None:
            durations = self.durations[server] = Durations()
        durations.add(line.seconds)
        for given_up in servers[:-1]:
            self.retries[given_up] = self.retries.get(given_up, 0) + 1
        if line.session and line.answered:
            self.session_answers += 1
            change = self.sessions.answered(line.session, server, now)
            self.session_moves += change.moved
            self.lost_update_suspects += change.soon

    def _ejection(self, line: Ejection) -> None:
        server = self._names.of(line.server)
        # A client may write what it likes into an error's line, but not into the access log.
        if server not in self.durations:
            server = NO_SERVER
        self.ejections[server] = self.ejections.get(server, 0) + 1
