"""What to check and how hard, validated once."""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kato_balancing.headers import REVEAL_RESPONSE_HEADER

STM_LIMIT: Final = 1_000
"""Events after which KATO trims a session's short-term memory: more cannot be compared."""

MOST_SESSIONS: Final = 10_000
MOST_CONNECTIONS: Final = 1_000
MOST_OBSERVATIONS: Final = 1_000_000
LONGEST_WAIT: Final = 3_600.0

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class CheckName(StrEnum):
    """The checks, in the order in which they run."""

    REACHABILITY = "reachability"
    AFFINITY = "affinity"
    OVERLAP = "overlap"
    KEEP_ALIVE = "keep-alive"


DEFAULT_CHECKS: Final = (CheckName.REACHABILITY, CheckName.AFFINITY, CheckName.OVERLAP)
"""Keep-alive is left out: it has to idle for half a minute."""


class OptionError(ValueError):
    """An option's value cannot be used; says the option, the rule and the cure.

    ``option`` is the field's name, e.g. ``keep_alive_rounds``.
    """

    def __init__(self, option: str, rule: str, cure: str) -> None:
        super().__init__(f"{option}: {rule}; {cure}")
        self.option = option
        self.rule = rule
        self.cure = cure


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What :func:`kato_balancing.verify.verify` does.

    Raises :class:`OptionError` for a value, or a combination, that no check could use.
    """

    checks: tuple[CheckName, ...] = DEFAULT_CHECKS
    """Which checks run; the order given does not matter."""
    sessions: int = 40
    """Sessions that affinity and overlap create (each their own)."""
    writers: int = 40
    """Observations in flight at any time in the overlap check."""
    observations: int = 2_000
    """Observations that the overlap check sends in all, spread evenly over the sessions."""
    server_header: str = REVEAL_RESPONSE_HEADER
    """Response header in which the balancer names the server that answered."""
    allow_one_server: bool = False
    """Accept a balancer with a single server: affinity then holds, but says little."""
    keep_alive_connections: int = 40
    """Connections that the keep-alive check holds."""
    keep_alive_rounds: int = 5
    """Observations that each of those connections sends."""
    keep_alive_interval: float = 5.0
    """Seconds that each of those connections idles between two observations. The default is the
    idle time after which KATO closes a connection, where the race is."""
    timeout: float = 30.0
    """Seconds that one request may take, from connecting to the last byte of its answer."""
    ca_file: str | None = None
    """PEM file of the authority that signed an https balancer's certificate; the system's own
    authorities without it."""

    def __post_init__(self) -> None:
        if not self.checks:
            raise OptionError("checks", "at least one check must be named", "name one")
        try:
            named = {CheckName(check) for check in self.checks}
        except ValueError as error:
            raise OptionError("checks", str(error), f"use {', '.join(CheckName)}") from error
        object.__setattr__(self, "checks", tuple(c for c in CheckName if c in named))
        if not _TOKEN.fullmatch(self.server_header):
            raise OptionError(
                "server_header",
                f"{self.server_header!r} is not the name of a header",
                f"use letters, digits and hyphens, as in {REVEAL_RESPONSE_HEADER}",
            )
        _between("sessions", self.sessions, 1, MOST_SESSIONS)
        _between("writers", self.writers, 1, MOST_CONNECTIONS)
        _between("observations", self.observations, 1, MOST_OBSERVATIONS)
        _between("keep_alive_connections", self.keep_alive_connections, 1, MOST_CONNECTIONS)
        # The first observation only opens the connection: the race needs a second one.
        _between("keep_alive_rounds", self.keep_alive_rounds, 2, STM_LIMIT - 1)
        _seconds("keep_alive_interval", self.keep_alive_interval)
        _seconds("timeout", self.timeout)
        if CheckName.AFFINITY in self.checks and self.sessions < 2:
            raise OptionError(
                "sessions",
                "affinity needs at least 2 sessions, one session cannot show a choice of servers",
                "use 40, or leave the affinity check out",
            )
        if CheckName.OVERLAP in self.checks:
            self._require_overlap()

    def _require_overlap(self) -> None:
        if self.writers < 2:
            raise OptionError("writers", "one writer overlaps with nobody", "use at least 2")
        per_session = math.ceil(self.observations / self.sessions)
        if per_session >= STM_LIMIT:
            raise OptionError(
                "observations",
                f"{self.observations} observations on {self.sessions} sessions are {per_session} "
                f"each, and KATO forgets all but the newest {STM_LIMIT} of a session",
                f"use at least {self.observations // (STM_LIMIT - 1) + 1} sessions or at most "
                f"{self.sessions * (STM_LIMIT - 1)} observations",
            )
        if self.observations < 2 * self.sessions:
            raise OptionError(
                "observations",
                f"{self.observations} observations on {self.sessions} sessions are fewer than 2 "
                "each, so that hardly any could overlap",
                f"use at least {2 * self.sessions} observations",
            )


def _between(option: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise OptionError(
            option, f"must be from {lowest} to {highest}, not {value}", "use a value between them"
        )


def _seconds(option: str, value: float) -> None:
    # "not" form, so that NaN is refused too.
    if not 0 < value <= LONGEST_WAIT:
        raise OptionError(
            option,
            f"must be more than 0 and at most {LONGEST_WAIT:g} seconds, not {value:g}",
            "use a number of seconds such as 30",
        )
