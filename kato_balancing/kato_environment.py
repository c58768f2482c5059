"""Values of KATO's environment that stop it at start, found before anything is deployed.

KATO validates every variable that it knows, also those without effect; one bad value and the
process ends while it is imported.
"""

import json
import re
from collections.abc import Callable, Mapping

from kato_balancing import kato
from kato_balancing.problems import Problem

Rule = Callable[[str], bool]


def _integer(low: int | None = None, high: int | None = None) -> Rule:
    def holds(value: str) -> bool:
        if not re.fullmatch(r"[+-]?\d+", value):
            return False
        number = int(value)
        return (low is None or number >= low) and (high is None or number <= high)

    return holds


def _one_of(*words: str) -> Rule:
    return lambda value: value in words


_TRUE = {"true", "1", "yes", "on", "t", "y"}
_FALSE = {"false", "0", "no", "off", "f", "n"}


def is_true(value: str) -> bool:
    """A boolean variable's meaning, as KATO reads it."""
    return value.lower() in _TRUE


def _boolean(value: str) -> bool:
    return value.lower() in _TRUE | _FALSE


def _json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _json_list(value: str) -> bool:
    return _json(value) and isinstance(json.loads(value), list)


_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_SECTIONS = (
    "DATABASE",
    "SESSION",
    "API",
    "SERVICE",
    "LOGGING",
    "LEARNING",
    "PROCESSING",
    "PERFORMANCE",
)
_ttl_low, _ttl_high = kato.SESSION_TTL_RANGE

RULES: Mapping[str, tuple[Rule, str]] = {
    **dict.fromkeys(
        ("REDIS_PORT", "QDRANT_PORT", "CLICKHOUSE_PORT", "PORT"),
        (_integer(), "must be a number; Kubernetes service links put an address there"),
    ),
    "WORKERS": (_integer(1, 16), "must be a number from 1 to 16, although it has no effect"),
    "KATO_WORKERS": (_integer(1), "must be a number, 1 or more"),
    "KATO_LIMIT_CONCURRENCY": (_integer(1), "must be a number, 1 or more"),
    "CORS_ORIGINS": (_json_list, 'must be a JSON list such as ["*"]'),
    "LOG_LEVEL": (_one_of(*_LEVELS), f"must be one of {', '.join(_LEVELS)}, in upper case"),
    "LOG_FORMAT": (_one_of("human", "json"), "must be human or json"),
    "ENVIRONMENT": (
        _one_of("development", "testing", "production"),
        "must be development, testing or production",
    ),
    "STM_MODE": (_one_of("CLEAR", "ROLLING"), "must be CLEAR or ROLLING, in upper case"),
    **dict.fromkeys(
        ("DEBUG", "REDIS_ENABLED", "PROCESS_PREDICTIONS", "SESSION_AUTO_EXTEND"),
        (_boolean, "must be true or false"),
    ),
    "SESSION_TTL": (_integer(_ttl_low, _ttl_high), f"must be from {_ttl_low} to {_ttl_high}"),
    "CONNECTION_POOL_SIZE": (_integer(1, 100), "must be from 1 to 100"),
    "REQUEST_TIMEOUT": (_integer(1, 300), "must be from 1 to 300"),
    "BATCH_SIZE": (_integer(1), "must be 1 or more"),
    "MAX_PREDICTIONS": (_integer(1), "must be 1 or more"),
    "REDIS_URL": (
        lambda value: value.startswith(("redis://", "rediss://", "unix://")),
        "must start with redis://, rediss:// or unix://",
    ),
    **dict.fromkeys(
        _SECTIONS, (_json, "names a whole section of KATO's settings; use another variable name")
    ),
}
"""Variable → when its value is fine, and what it must be."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAMES = re.compile(r"URL|PASSWORD|SECRET|TOKEN|KEY")


def problems(environment: Mapping[str, str]) -> list[Problem]:
    """What would stop KATO, by variable. Names count in any case, as KATO reads them."""
    found = []
    for name, value in environment.items():
        if not _NAME.fullmatch(name):
            found.append(Problem(ascii(name), "is not a name for a variable"))
            continue
        if "\0" in value:
            found.append(Problem(name, "must not hold a zero character"))
            continue
        holds, rule = RULES.get(name.upper(), (None, ""))
        if holds is not None and not holds(value):
            shown = (
                "a value that is not shown" if _SECRET_NAMES.search(name.upper()) else ascii(value)
            )
            found.append(Problem(name, f"{rule} (got {shown})"))
    return found
