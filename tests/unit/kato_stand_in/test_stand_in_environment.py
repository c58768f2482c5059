"""The environment values at which KATO refuses to start."""

import pytest

from dev.kato_stand_in.environment import first_problem, settings_from

LINK = "tcp://10.96.0.7:6379"
SECTIONS = [
    "DATABASE",
    "SESSION",
    "API",
    "SERVICE",
    "LOGGING",
    "LEARNING",
    "PROCESSING",
    "PERFORMANCE",
]

REFUSED = [
    *[(name, value) for name in ("REDIS_PORT", "QDRANT_PORT") for value in (LINK, "")],
    ("CLICKHOUSE_PORT", LINK),
    ("CLICKHOUSE_PORT", ""),
    ("PORT", LINK),
    ("WORKERS", "32"),
    ("CORS_ORIGINS", "*"),
    ("LOG_LEVEL", "info"),
    ("LOG_LEVEL", "WARN"),
    ("LOG_LEVEL", "verbose"),
    ("LOG_FORMAT", "text"),
    ("ENVIRONMENT", "prod"),
    ("STM_MODE", "rolling"),
    ("DEBUG", "release"),
    ("REDIS_ENABLED", ""),
    ("SESSION_TTL", "59"),
    ("SESSION_TTL", "86401"),
    ("CONNECTION_POOL_SIZE", "200"),
    ("REQUEST_TIMEOUT", "600"),
    ("BATCH_SIZE", "0"),
    ("MAX_PREDICTIONS", "0"),
    *[(name, LINK) for name in SECTIONS],
    ("KATO_WORKERS", "many"),
    ("KATO_LIMIT_CONCURRENCY", "many"),
    ("RECALL_THRESHOLD", "0"),
    ("STAND_IN_WORK_MS", "10-5"),
    ("STAND_IN_FAULT", "explode"),
    ("STAND_IN_RELEASE", "latest"),
]

ACCEPTED = [
    ("REDIS_PORT", "6379"),
    ("QDRANT_PORT", "6333"),
    ("CLICKHOUSE_PORT", "8123"),
    ("PORT", "9000"),
    ("WORKERS", "16"),
    ("CORS_ORIGINS", '["*"]'),
    ("LOG_LEVEL", "WARNING"),
    ("LOG_FORMAT", "json"),
    ("ENVIRONMENT", "production"),
    ("STM_MODE", "ROLLING"),
    ("DEBUG", "yes"),
    ("DEBUG", "true"),
    ("DEBUG", "1"),
    ("REDIS_ENABLED", "true"),
    ("SESSION_TTL", "60"),
    ("SESSION_TTL", "86400"),
    ("CONNECTION_POOL_SIZE", "100"),
    ("REQUEST_TIMEOUT", "300"),
    ("BATCH_SIZE", "1"),
    ("MAX_PREDICTIONS", "1"),
    *[(name, "{}") for name in SECTIONS],
    ("KATO_PORT", LINK),
    ("HOST", "x"),
    ("KATO_WORKERS", ""),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_refused_with_the_name_of_the_variable(name: str, value: str) -> None:
    problem = first_problem({name: value})
    assert problem is not None
    assert problem.startswith(name)
    assert "\n" not in problem


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_accepted(name: str, value: str) -> None:
    assert first_problem({name: value}) is None


def test_names_are_read_without_regard_to_case() -> None:
    assert first_problem({"redis_port": LINK}) is not None


def test_a_recall_threshold_of_zero_is_fine_before_release_6() -> None:
    values = {"RECALL_THRESHOLD": "0", "STAND_IN_RELEASE": "5.2.0"}
    assert first_problem(values) is None


def test_settings_are_refused_too() -> None:
    with pytest.raises(ValueError, match="LOG_LEVEL"):
        settings_from({"LOG_LEVEL": "info"})


def test_defaults_are_those_of_kato() -> None:
    settings = settings_from({})
    assert settings.redis_url is None
    assert settings.redis_enabled is False
    assert settings.session_ttl == 3600
    assert settings.work == (0.005, 0.010)
    assert settings.first_touch == 0.110
    assert settings.sequence_item == 0.015
    assert settings.boot == 5.0
    assert settings.fault is None
