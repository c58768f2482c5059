"""Reads and writes for remedies: in place, scalars only, never a secret or an unknown value.

A remedy sees the engine's raw values: unknown ones are sentinel texts, and secrets are wrapped.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

from .values import SENTINELS


def mapping(holder: Any, key: str) -> MutableMapping[str, Any] | None:
    """The map at this key, None when it is anything else."""
    found = _get(holder, key)
    return found if hasattr(found, "__setitem__") and hasattr(found, "keys") else None


def listed(holder: Any, key: str) -> list[MutableMapping[str, Any]]:
    """The maps in the list at this key."""
    found = _get(holder, key)
    if isinstance(found, str) or not hasattr(found, "__len__") or hasattr(found, "keys"):
        return []
    items = [found[index] for index in range(len(found))]
    return [item for item in items if hasattr(item, "__setitem__") and hasattr(item, "keys")]


def known(holder: Any, key: str) -> Any:
    """The scalar at this key; a sentinel text where it is unknown."""
    found = _get(holder, key)
    return found if found is None or isinstance(found, str | int | float | bool) else ...


def set_in(
    holder: MutableMapping[str, Any], key: str, value: Any, *, replacing: tuple[Any, ...]
) -> bool:
    """Set the scalar when it is one of those to be replaced; says whether it did."""
    found = known(holder, key)
    if found is ... or (isinstance(found, str) and found in SENTINELS):
        return False
    if found not in replacing:
        return False
    holder[key] = value
    return True


def _get(holder: Any, key: str) -> Any:
    if holder is None or not (isinstance(holder, Mapping) or hasattr(holder, "keys")):
        return None
    return holder[key] if key in list(holder.keys()) else None
