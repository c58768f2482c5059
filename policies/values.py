"""Properties of a resource, some of which are not known yet.

Reading an unknown value raises Undecided, so a finding can't depend on one: whatever a rule
reports, it has read known values only. ``some`` and ``every`` follow Kleene's logic: one known
witness decides, however many others are unknown.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar, final

SENTINELS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
"""How the engine writes unknown values (sdk/python/lib/pulumi_policy/proxy.py, 1.21)."""

HIDDEN: Final = "[secret]"
"""What ``pulumi policy analyze`` puts where a secret of the state can't be decrypted."""


@final
class Unknown:
    """The value of a property that is known only after the deployment."""

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false")

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


_SCALARS: Final = (bool, int, float, Unknown)


class Undecided(Exception):  # noqa: N818 - says what the answer is, no fault
    """The answer depends on a value that is not known yet."""

    def __init__(self, urn: str, path: str) -> None:
        self.urn = urn
        self.path = path
        super().__init__(f"{urn}: {path} is not known yet")


def plain(value: Any) -> Any:
    """What the SDK read, as dicts, lists and scalars; what is not known yet becomes UNKNOWN."""
    if isinstance(value, str):
        return UNKNOWN if value in SENTINELS or value == HIDDEN else value
    if value is None or isinstance(value, _SCALARS):
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    text = getattr(value, "text", None)  # an asset that holds its text
    return text if isinstance(text, str) else UNKNOWN


def settled(seen: Any, stated: Any) -> Any:
    """Outputs, and where one is unknown what the program stated for it.

    A preview does not know what a provider will fill in; what the program leaves out is then
    judged as left out, as it is before the registration.
    """
    if isinstance(seen, Unknown):
        return stated
    if isinstance(seen, dict):
        known = stated if isinstance(stated, dict) else {}
        return {key: settled(item, known.get(key)) for key, item in seen.items()}
    if isinstance(seen, list) and isinstance(stated, list) and len(seen) == len(stated):
        return [settled(*pair) for pair in zip(seen, stated, strict=True)]
    return seen


@final
class Value:
    """A property and where it stands. Total: a wrong type reads like a missing property."""

    __slots__ = ("_above", "_key", "data", "urn")

    def __init__(self, urn: str, path: str, data: Any) -> None:
        self.urn = urn
        self.data = data
        self._above: str | Value = path
        self._key: str | int = ""

    @property
    def path(self) -> str:
        """Where it stands. Composed when somebody asks: most properties are read, few are told."""
        above = self._above
        return above if isinstance(above, str) else _joined(above.path, self._key)

    def __getitem__(self, key: str | int) -> "Value":
        data = self.data
        if isinstance(data, Unknown):
            return self
        below = Value.__new__(Value)
        below.urn, below._above, below._key, below.data = self.urn, self, key, None
        if isinstance(key, str):
            if isinstance(data, dict):
                below.data = data.get(key)
        elif isinstance(data, list) and 0 <= key < len(data):
            below.data = data[key]
        return below

    def at(self, *keys: str | int) -> "Value":
        """The property below."""
        here = self
        for key in keys:
            here = here[key]
        return here

    def get(self) -> Any:
        """The data. Raises Undecided when it is unknown."""
        if isinstance(self.data, Unknown):
            raise Undecided(self.urn, self.path)
        return self.data

    @property
    def present(self) -> bool:
        """True when there is something but null."""
        return self.get() is not None

    @property
    def unknown(self) -> bool:
        """True when nothing can be said about it."""
        return isinstance(self.data, Unknown)

    def text(self) -> str | None:
        """The text, None for anything else."""
        data = self.get()
        return data if isinstance(data, str) else None

    def number(self) -> float | None:
        """The number, None for anything else; True is none."""
        data = self.get()
        return float(data) if isinstance(data, int | float) and not isinstance(data, bool) else None

    def whole(self) -> int | None:
        """The integer; every number arrives as a float."""
        number = self.number()
        return int(number) if number is not None and number.is_integer() else None

    def flag(self) -> bool | None:
        """The boolean, None for anything else."""
        data = self.get()
        return data if isinstance(data, bool) else None

    def items(self) -> list["Value"]:
        """The elements of a list, nothing for anything else."""
        data = self.get()
        return [self[index] for index in range(len(data))] if isinstance(data, list) else []

    def entries(self) -> dict[str, "Value"]:
        """The properties of an object, nothing for anything else."""
        data = self.get()
        return {key: self[key] for key in data} if isinstance(data, dict) else {}

    def texts(self) -> list[str]:
        """The texts of a list; raises Undecided when one is unknown."""
        found = [item.text() for item in self.items()]
        return [text for text in found if text is not None]


def _joined(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    simple = key.replace("_", "").replace("-", "").isalnum()
    if not simple:
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


ItemT = TypeVar("ItemT")


def some(items: Iterable[ItemT], holds: Callable[[ItemT], bool]) -> bool:
    """True when one item holds for certain, False when none can; raises Undecided otherwise."""
    open_question: Undecided | None = None
    for item in items:
        try:
            if holds(item):
                return True
        except Undecided as undecided:
            open_question = open_question or undecided
    if open_question is not None:
        raise open_question
    return False


def any_of(*questions: Callable[[], bool]) -> bool:
    """True when one answer is yes for certain; raises Undecided when one only may be."""
    return some(questions, _asked)


def _asked(question: Callable[[], bool]) -> bool:
    return question()


def every(items: Iterable[ItemT], holds: Callable[[ItemT], bool]) -> bool:
    """False when one item fails for certain, True when all hold; raises Undecided otherwise."""
    return not some(items, lambda item: not holds(item))


def which(
    items: Iterable[ItemT], holds: Callable[[ItemT], bool]
) -> tuple[list[ItemT], Undecided | None]:
    """The items that hold for certain, and the first one that may."""
    found: list[ItemT] = []
    open_question: Undecided | None = None
    for item in items:
        try:
            if holds(item):
                found.append(item)
        except Undecided as undecided:
            open_question = open_question or undecided
    return found, open_question


def chosen(items: Iterable[ItemT], holds: Callable[[ItemT], bool]) -> list[ItemT]:
    """The items that hold; raises Undecided when that is open for one of them."""
    found, open_question = which(items, holds)
    if open_question is not None:
        raise open_question
    return found


def leaves(value: Value) -> Iterator[Value]:
    """Every scalar below, unknown ones too."""
    if isinstance(value.data, dict):
        for key in value.data:
            yield from leaves(value[key])
    elif isinstance(value.data, list):
        for index in range(len(value.data)):
            yield from leaves(value[index])
    else:
        yield value
