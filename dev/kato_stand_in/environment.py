"""The environment: which values stop KATO at start, and the settings read from the others."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .faults import KINDS, Fault
from .release import DEFAULT_RELEASE, ReleaseProfile, parse_version, profile_for

Check = Callable[[str], str | None]
"""Returns what is wrong with a value, or None."""

_TRUE = frozenset({"1", "on", "t", "true", "y", "yes"})
_FALSE = frozenset({"0", "off", "f", "false", "n", "no"})


def _integer(low: int, high: int | None = None) -> Check:
    wanted = f"an integer from {low} to {high}" if high is not None else f"an integer >= {low}"

    def check(value: str) -> str | None:
        try:
            number = int(value)
        except ValueError:
            return f"must be {wanted}"
        return None if number >= low and (high is None or number <= high) else f"must be {wanted}"

    return check


def _number(low: float, high: float) -> Check:
    def check(value: str) -> str | None:
        try:
            inside = low <= float(value) <= high
        except ValueError:
            inside = False
        return None if inside else f"must be a number from {low:g} to {high:g}"

    return check


def _one_of(*choices: str) -> Check:
    def check(value: str) -> str | None:
        return None if value in choices else f"must be one of {', '.join(choices)}"

    return check


def _boolean(value: str) -> str | None:
    return None if value.lower() in _TRUE | _FALSE else "must be true or false"


def _json_of(kind: type, article: str) -> Check:
    def check(value: str) -> str | None:
        try:
            parsed = json.loads(value)
        except ValueError:
            return f"must be {article} in JSON"
        return None if isinstance(parsed, kind) else f"must be {article} in JSON"

    return check


def _release(value: str) -> str | None:
    try:
        parse_version(value)
    except ValueError:
        return "must be a release number such as 3.10.1"
    return None


def _milliseconds_range(value: str) -> str | None:
    try:
        _read_range(value)
    except ValueError:
        return 'must be milliseconds, one number or a range such as "5-10"'
    return None


_PORT = _integer(1, 65535)
_SECTION = _json_of(dict, "an object")

# Inert settings (PORT, WORKERS, CORS_ORIGINS ...) are here too: KATO validates them all the same.
KATO_CHECKS: Mapping[str, Check] = {
    "REDIS_PORT": _PORT,
    "QDRANT_PORT": _PORT,
    "CLICKHOUSE_PORT": _PORT,
    "PORT": _PORT,
    "WORKERS": _integer(1, 16),
    "CORS_ORIGINS": _json_of(list, "a list"),
    "LOG_LEVEL": _one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "LOG_FORMAT": _one_of("json", "human"),
    "ENVIRONMENT": _one_of("development", "testing", "production"),
    "STM_MODE": _one_of("CLEAR", "ROLLING"),
    "DEBUG": _boolean,
    "REDIS_ENABLED": _boolean,
    "SESSION_AUTO_EXTEND": _boolean,
    "PROCESS_PREDICTIONS": _boolean,
    "SESSION_TTL": _integer(60, 86400),
    "CONNECTION_POOL_SIZE": _integer(1, 100),
    "REQUEST_TIMEOUT": _number(1, 300),
    "BATCH_SIZE": _integer(1, 100_000),
    "MAX_PREDICTIONS": _integer(1, 10_000),
    "MAX_PATTERN_LENGTH": _integer(0),
    "RECALL_THRESHOLD": _number(0, 1),
    "SESSION_COUNT_CACHE_TTL_SECONDS": _number(0, 86400),
    "METRICS_CACHE_TTL_SECONDS": _number(0, 86400),
    **dict.fromkeys(
        (
            "DATABASE",
            "SESSION",
            "API",
            "SERVICE",
            "LOGGING",
            "LEARNING",
            "PROCESSING",
            "PERFORMANCE",
        ),
        _SECTION,
    ),
}

# The image's shell command gives these two to uvicorn; empty means the default there.
COMMAND_CHECKS: Mapping[str, Check] = {
    "KATO_WORKERS": _integer(0),
    "KATO_LIMIT_CONCURRENCY": _integer(0),
}

STAND_IN_CHECKS: Mapping[str, Check] = {
    "STAND_IN_RELEASE": _release,
    "STAND_IN_PORT": _integer(0, 65535),
    "STAND_IN_GRACEFUL_SHUTDOWN": _integer(0),
    "STAND_IN_WORK_MS": _milliseconds_range,
    "STAND_IN_FIRST_TOUCH_MS": _number(0, 3_600_000),
    "STAND_IN_ITEM_MS": _number(0, 3_600_000),
    "STAND_IN_BOOT_SECONDS": _number(0, 3600),
    "STAND_IN_FAULT": _one_of(*KINDS),
    "STAND_IN_FAULT_SECONDS": _number(0, 86400),
    "STAND_IN_FAULT_COUNT": _integer(1),
    "STAND_IN_FAULT_EVERY": _integer(1),
}


def normalised(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with upper-case names: KATO reads names without regard to case."""
    return {name.upper(): value for name, value in environ.items()}


def first_problem(environ: Mapping[str, str]) -> str | None:
    """One line that names the first variable whose value stops KATO, or None."""
    values = normalised(environ)
    for name, check in KATO_CHECKS.items():
        if name in values and (complaint := check(values[name])):
            return f"{name} {complaint}"
    for checks in (COMMAND_CHECKS, STAND_IN_CHECKS):
        for name, check in checks.items():
            if values.get(name) and (complaint := check(values[name])):
                return f"{name} {complaint}"
    profile = profile_for(values.get("STAND_IN_RELEASE") or DEFAULT_RELEASE)
    threshold = values.get("RECALL_THRESHOLD")
    if threshold is not None and profile.positive_recall_threshold and float(threshold) == 0:
        return f"RECALL_THRESHOLD must be greater than 0 in release {profile.name}"
    return None


@dataclass(frozen=True)
class Settings:
    """What the application needs to know; times in seconds."""

    profile: ReleaseProfile
    redis_url: str | None = None
    redis_enabled: bool = True
    service_name: str = "kato"
    session_ttl: int = 3600
    session_auto_extend: bool = True
    session_count_cache: float = 5.0
    metrics_cache: float = 5.0
    max_pattern_length: int = 0
    stm_mode: str = "CLEAR"
    events_channel: str = "kato:ws_events"
    work: tuple[float, float] = (0.005, 0.010)
    """Shortest and longest time of one observation."""
    first_touch: float = 0.110
    """Extra time when this process meets a node for the first time."""
    sequence_item: float = 0.015
    """Time of one item of observe-sequence."""
    boot: float = 5.0
    """How long a starting process waits for Redis."""
    fault: Fault | None = None


def _read_range(value: str) -> tuple[float, float]:
    low, _, high = value.partition("-")
    first, last = float(low), float(high or low)
    if not 0 <= first <= last:
        raise ValueError(f"not a range: {value!r}")
    return first / 1000, last / 1000


def _read_fault(values: Mapping[str, str]) -> Fault | None:
    kind = values.get("STAND_IN_FAULT") or "none"
    if kind == "none":
        return None
    count = values.get("STAND_IN_FAULT_COUNT")
    return Fault(
        kind=kind,
        seconds=float(values.get("STAND_IN_FAULT_SECONDS") or 0),
        count=int(count) if count else None,
        every=int(values.get("STAND_IN_FAULT_EVERY") or 1),
    )


def settings_from(environ: Mapping[str, str]) -> Settings:
    """Read the settings; raise ValueError with one line if KATO would not start with them."""
    if problem := first_problem(environ):
        raise ValueError(problem)
    values = normalised(environ)

    def flag(name: str, default: str) -> bool:
        return values.get(name, default).lower() in _TRUE

    return Settings(
        profile=profile_for(values.get("STAND_IN_RELEASE") or DEFAULT_RELEASE),
        redis_url=values.get("REDIS_URL") or None,
        redis_enabled=flag("REDIS_ENABLED", "false"),
        service_name=values.get("SERVICE_NAME", "kato"),
        session_ttl=int(values.get("SESSION_TTL", "3600")),
        session_auto_extend=flag("SESSION_AUTO_EXTEND", "true"),
        session_count_cache=float(values.get("SESSION_COUNT_CACHE_TTL_SECONDS", "5")),
        metrics_cache=float(values.get("METRICS_CACHE_TTL_SECONDS", "5")),
        max_pattern_length=int(values.get("MAX_PATTERN_LENGTH", "0")),
        stm_mode=values.get("STM_MODE", "CLEAR"),
        events_channel=values.get("KATO_WS_EVENTS_CHANNEL") or "kato:ws_events",
        work=_read_range(values.get("STAND_IN_WORK_MS") or "5-10"),
        first_touch=float(values.get("STAND_IN_FIRST_TOUCH_MS") or 110) / 1000,
        sequence_item=float(values.get("STAND_IN_ITEM_MS") or 15) / 1000,
        boot=float(values.get("STAND_IN_BOOT_SECONDS") or 5),
        fault=_read_fault(values),
    )
