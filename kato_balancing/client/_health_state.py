"""Who is up: hysteresis over checks, panic mode, listeners. No input or output here."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

logger = logging.getLogger("kato_balancing.client")

Listener = Callable[[str, bool], None]
"""Gets an instance's name and whether it is up from now on."""


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """How instances are checked; the defaults are the balancer's (``model.ActiveHealth``).

    A crash is noticed after about 1 second, a hang after about 3. Times are seconds. KATO blocks
    its event loop for up to 1.3 s in ordinary work (finalize-training of 3,000 patterns,
    measured), so one slow check must not eject it: ``fall`` is at least 2.
    """

    path: str = "/health"
    """Must answer 200; its body follows the host's load and is not judged. Use
    ``/sessions/lb-probe/exists`` to fail with KATO's Redis too."""
    interval: float = 1.0
    interval_failing: float = 0.2
    """While an instance changes from up to down or back."""
    interval_down: float = 0.5
    timeout: float = 1.0
    rise: int = 2
    fall: int = 2
    jitter: float = 0.1
    """Part of an interval that is random, so that many clients do not check in step."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check."""

    ok: bool
    why: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class _Record:
    up: bool = True
    streak: int = 0
    """Checks in a row that speak against ``up``."""
    last: Check | None = None


class HealthTable:
    """The state of every instance. All start as up: the first check may be some time away.

    Thread-safe; listeners are called in the thread that reported the check.
    """

    def __init__(self, names: Iterable[str], settings: HealthSettings | None = None) -> None:
        self.settings = settings or HealthSettings()
        self._records = {name: _Record() for name in names}
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._down: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """All instances."""
        return tuple(self._records)

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` at every change; an error in it is logged and changes nothing."""
        self._listeners.append(listener)

    def report(self, name: str, check: Check) -> None:
        """A check of the instance is over."""
        with self._lock:
            record = self._records[name]
            record.last = check
            if check.ok == record.up:
                record.streak = 0
                return
            record.streak += 1
            needed = self.settings.fall if record.up else self.settings.rise
            if record.streak < needed:
                return
            record.up, record.streak = check.ok, 0
            self._down = frozenset(n for n, r in self._records.items() if not r.up)
        logger.warning("%s is %s%s", name, "up" if check.ok else "down", f": {check.why}"
                       if check.why else "")  # fmt: skip
        for listener in tuple(self._listeners):
            try:
                listener(name, check.ok)
            except Exception:  # a listener's fault is not the instance's
                logger.exception("a health listener failed")

    def is_up(self, name: str) -> bool:
        """The judgement, not the last check."""
        return self._records[name].up

    def last(self, name: str) -> Check | None:
        """The last check; None before the first."""
        return self._records[name].last

    @property
    def down(self) -> frozenset[str]:
        """Instances that are down."""
        return self._down

    @property
    def panic(self) -> bool:
        """True when all look dead: then it is likelier that the checks are wrong, or that
        the network is, and all are used."""
        return len(self._down) == len(self._records)

    def healthy(self) -> list[str]:
        """Instances to use: those that are up, in panic mode all."""
        return [name for name in self._records if self.panic or name not in self._down]

    def pause(self, name: str, chance: float) -> float:
        """Seconds until the next check of the instance; ``chance`` is from 0 to 1."""
        record = self._records[name]
        base = self.settings.interval if record.up else self.settings.interval_down
        if record.streak:
            base = self.settings.interval_failing
        return base * (1 + self.settings.jitter * (2 * chance - 1))
