"""What a write does to the short-term memory, and whether a memory shows that it was done. Pure.

A decision is only as good as its before: the memory's length and last event as they were when the
write was sent. Writes of one session never overlap in this client, so it knows them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

STM_LIMIT: Final = 1000
"""Events that KATO keeps: at this length a memory grows no more."""


class Decision(Enum):
    """Whether a write was done."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    UNCLEAR = "unclear"
    """The memory fits neither, or both."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event as far as a client knows it: KATO may sort its strings, and names vectors itself."""

    strings: frozenset[str]
    vectors: bool = False

    def is_like(self, seen: Sequence[str]) -> bool:
        """True when an event of the memory can be this one."""
        found = frozenset(seen)
        return found > self.strings if self.vectors else found == self.strings


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory before a write."""

    length: int
    last: Event | None = None
    """None: empty, or unknown."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a write does: adds events, or empties the memory."""

    adds: tuple[Event, ...] = ()
    empties: bool = False
    visible: bool = True
    """False: it can't be seen in the memory whether it was done."""

    def after(self, before: Memory) -> Memory:
        """The memory afterwards, as long as KATO does not learn by itself."""
        if self.empties:
            return Memory(0)
        if not self.adds:
            return before
        return Memory(min(STM_LIMIT, before.length + len(self.adds)), self.adds[-1])


_INVISIBLE: Final = Effect(visible=False)


def effect_of(action: str, body: bytes) -> Effect:
    """The effect of a call whose repeats must be verified."""
    if action == "learn":
        return Effect(empties=True)
    try:
        asked = json.loads(body)
    except ValueError:
        return _INVISIBLE
    if not isinstance(asked, Mapping):
        return _INVISIBLE
    return _adding([asked]) if action == "observe" else _of_sequence(asked)


def _of_sequence(asked: Mapping[str, Any]) -> Effect:
    found = _adding(asked.get("observations") or [])
    if asked.get("clear_stm_between") or not found.visible:
        return _INVISIBLE
    learns = asked.get("learn_after_each") or asked.get("learn_at_end")
    return Effect(found.adds, empties=True) if learns else found


def _adding(observations: Sequence[Any]) -> Effect:
    events = []
    for one in observations:
        if not isinstance(one, Mapping):
            return _INVISIBLE
        strings, vectors = one.get("strings") or (), one.get("vectors") or ()
        if strings or vectors:
            events.append(Event(frozenset(map(str, strings)), bool(vectors)))
    # Without strings and vectors only KATO's inner counter moves.
    return Effect(tuple(events)) if events else _INVISIBLE


def decide(
    before: Memory, effect: Effect, now: Sequence[Sequence[str]], *, learns_itself: bool = True
) -> Decision:
    """What the memory ``now`` says about a write that was sent when it was ``before``.

    A memory that ``learns_itself`` (``max_pattern_length``) may shrink or keep its length: then
    only the last event tells, and where that can't, the answer is UNCLEAR.
    """
    if not effect.visible:
        return Decision.UNCLEAR
    if effect.empties:
        return _emptied(before, effect, len(now))
    added = effect.adds[-1]
    ends_as_asked = bool(now) and added.is_like(now[-1])
    if len(now) == before.length + len(effect.adds) and ends_as_asked:
        return Decision.APPLIED
    if len(now) != before.length:
        return Decision.UNCLEAR
    if not now or (not learns_itself and len(now) < STM_LIMIT):
        return Decision.UNCHANGED
    return _full_or_rolling(before, added, now[-1])


def _full_or_rolling(before: Memory, added: Event, last: Sequence[str]) -> Decision:
    if before.last is None or not differ(before.last, added):
        return Decision.UNCLEAR
    if added.is_like(last):
        return Decision.APPLIED
    return Decision.UNCHANGED if before.last.is_like(last) else Decision.UNCLEAR


def _emptied(before: Memory, effect: Effect, length: int) -> Decision:
    if before.length == 0:
        # There was nothing to learn; but a sequence would have added its events first.
        return Decision.UNCHANGED if not effect.adds and length == 0 else Decision.UNCLEAR
    if length == 0:
        return Decision.APPLIED
    return Decision.UNCHANGED if length == before.length else Decision.UNCLEAR


def differ(one: Event, other: Event) -> bool:
    """True when no event of a memory can be both."""
    return not one.vectors and not other.vectors and one.strings != other.strings


def last_event(stm: Sequence[Sequence[str]]) -> Event | None:
    """The last event of a memory that was read. Vectors have names there, as strings have."""
    return Event(frozenset(stm[-1])) if stm else None
