"""The per-session configuration: its fields, their defaults and what values they take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Accepts = Callable[[Any], bool]


@dataclass(frozen=True)
class Field:
    """One configuration field."""

    default: Any
    accepts: Accepts
    wanted: str
    """The rule in words, for the client."""


def _integer(default: int, low: int, high: int | None = None) -> Field:
    def accepts(value: Any) -> bool:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return is_integer and low <= value and (high is None or value <= high)

    end = "" if high is None else f" and at most {high}"
    return Field(default, accepts, f"must be an integer of at least {low}{end}")


def _fraction(default: float) -> Field:
    def accepts(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and 0 <= value <= 1

    return Field(default, accepts, "must be a number from 0 to 1")


def _flag(default: bool) -> Field:
    return Field(default, lambda value: isinstance(value, bool), "must be true or false")


def _choice(default: str, *others: str) -> Field:
    choices = (default, *others)
    return Field(default, lambda value: value in choices, f"must be one of {', '.join(choices)}")


FIELDS: Mapping[str, Field] = {
    "max_pattern_length": _integer(0, 0),
    "persistence": _integer(5, 1, 100),
    "recall_threshold": _fraction(0.1),
    "stm_mode": _choice("CLEAR", "ROLLING"),
    "indexer_type": _choice("VI", "LSH", "ANNOY", "FAISS"),
    "max_predictions": _integer(100, 1, 10_000),
    "sort_symbols": _flag(True),
    "process_predictions": _flag(True),
    "use_token_matching": _flag(True),
    "rank_sort_algo": _choice("potential", "similarity", "evidence", "confidence", "frequency"),
    "fuzzy_token_threshold": _fraction(0.0),
    "jaccard_threshold": _fraction(0.3),
    "jaccard_min_overlap": _integer(2, 1),
    "minhash_threshold": _fraction(0.7),
    "minhash_bands": _integer(20, 1, 100),
    "minhash_rows": _integer(5, 1, 20),
}


def complaints(config: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong, by field. Unknown fields are no error: KATO ignores them."""
    return {
        name: FIELDS[name].wanted
        for name, value in config.items()
        if name in FIELDS and value is not None and not FIELDS[name].accepts(value)
    }


def known(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that KATO keeps."""
    return {name: value for name, value in config.items() if name in FIELDS}


def effective(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Every field with its value in force: the session's, else the server's, else the default."""
    merged = {name: field.default for name, field in FIELDS.items()}
    merged.update(defaults)
    merged.update({name: value for name, value in config.items() if value is not None})
    return merged
