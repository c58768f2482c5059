"""What a client tells its surroundings: one event per attempt and per decision."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

logger = logging.getLogger("kato_balancing.client")


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Something happened in a call."""

    what: Literal["attempt", "repeat", "decision", "held"]
    call: str
    """Method and action, e.g. ``POST observe``; never an id."""
    instance: str
    result: str
    """Of an attempt how it ended, of a decision what was decided."""
    seconds: float = 0.0


Hook = Callable[[CallEvent], None]
"""Gets every event, in the thread or task of the call; must be quick and must not block."""


class Hooks:
    """Calls all hooks; an error in one is logged and changes nothing."""

    def __init__(self, hooks: tuple[Hook, ...] = ()) -> None:
        self._hooks = hooks

    def tell(
        self,
        what: Literal["attempt", "repeat", "decision", "held"],
        call: str,
        instance: str,
        result: str,
        seconds: float = 0.0,
    ) -> None:
        """Pass an event on; decisions and repeats are logged too."""
        if what != "attempt":
            logger.info("%s %s at %s: %s", call, what, instance, result)
        if not self._hooks:
            return
        event = CallEvent(what, call, instance, result, seconds)
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:  # a hook's fault is not the call's
                logger.exception("a hook failed")
