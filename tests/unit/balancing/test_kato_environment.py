"""Environment values that stop KATO at start, and those that do not."""

import pytest

from kato_balancing.kato_environment import RULES, problems

GOOD_AND_BAD: dict[str, tuple[list[str], list[str]]] = {
    "REDIS_PORT": (["6379", "0"], ["tcp://10.0.0.1:6379", "", "6379.5"]),
    "QDRANT_PORT": (["6333"], ["tcp://10.0.0.1:6333"]),
    "CLICKHOUSE_PORT": (["8123"], ["tcp://10.0.0.1:8123"]),
    "PORT": (["8000"], ["http"]),
    "WORKERS": (["1", "16"], ["0", "17", "auto"]),
    "KATO_WORKERS": (["1", "4"], ["0", "-1", "two"]),
    "KATO_LIMIT_CONCURRENCY": (["1", "500"], ["0", "many"]),
    "CORS_ORIGINS": (['["*"]', "[]"], ["*", "https://a.example", '{"a": 1}', '"*"']),
    "LOG_LEVEL": (["INFO", "WARNING"], ["info", "TRACE", ""]),
    "LOG_FORMAT": (["json", "human"], ["JSON", "text"]),
    "ENVIRONMENT": (["production", "testing"], ["prod", "PRODUCTION"]),
    "STM_MODE": (["CLEAR", "ROLLING"], ["clear", "KEEP"]),
    "DEBUG": (["true", "0", "Off", "NO"], ["maybe", "", "2"]),
    "REDIS_ENABLED": (["true"], ["enabled"]),
    "PROCESS_PREDICTIONS": (["false", "n", "F"], ["never"]),
    "SESSION_AUTO_EXTEND": (["yes"], ["always"]),
    "SESSION_TTL": (["60", "86400"], ["59", "86401", "1h"]),
    "CONNECTION_POOL_SIZE": (["1", "100"], ["0", "101"]),
    "REQUEST_TIMEOUT": (["1", "300"], ["0", "301", "2.5"]),
    "BATCH_SIZE": (["1"], ["0"]),
    "MAX_PREDICTIONS": (["100"], ["0"]),
    "REDIS_URL": (["redis://r:6379", "rediss://r", "unix:///run/r"], ["r:6379", "http://r", ""]),
    "DATABASE": (["{}", "3"], ["kato"]),
    "SESSION": (["{}"], ["kato"]),
    "API": (["{}"], ["v1"]),
    "SERVICE": (["{}"], ["kato"]),
    "LOGGING": (["{}"], ["on, verbose"]),
    "LEARNING": (["{}"], ["fast"]),
    "PROCESSING": (["{}"], ["fast"]),
    "PERFORMANCE": (["{}"], ["high"]),
}


def test_every_rule_is_tested() -> None:
    assert set(GOOD_AND_BAD) == set(RULES)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (good, _) in GOOD_AND_BAD.items() for value in good]
)
def test_a_value_that_kato_takes_is_fine(name: str, value: str) -> None:
    assert problems({name: value}) == []


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (_, bad) in GOOD_AND_BAD.items() for value in bad]
)
def test_a_value_that_stops_kato_is_named_with_its_rule(name: str, value: str) -> None:
    [problem] = problems({name: value})

    assert problem.path == name
    assert problem.message.startswith(RULES[name][1])
    assert "(got " in problem.message


def test_names_count_in_any_case_as_kato_reads_them() -> None:
    assert [problem.path for problem in problems({"log_level": "info", "Debug": "?"})] == [
        "log_level",
        "Debug",
    ]


@pytest.mark.parametrize("name", ["MY_LEVEL", "FEATURE", "X"])
def test_variables_that_kato_does_not_know_are_left_alone(name: str) -> None:
    assert problems({name: "anything at all"}) == []


@pytest.mark.parametrize("name", ["", "A B", "A=B", "1A", "A-B", "Ä", "A\n"])
def test_a_name_that_no_shell_takes_is_refused(name: str) -> None:
    [problem] = problems({name: "x"})

    assert problem.message == "is not a name for a variable"


def test_a_zero_character_is_refused() -> None:
    assert [str(problem) for problem in problems({"X": "a\0b"})] == [
        "X: must not hold a zero character"
    ]


def test_a_value_that_may_be_secret_is_never_shown() -> None:
    found = problems({"REDIS_URL": "http://:hunter2@redis", "redis_url": "hunter2"})

    assert len(found) == 2
    assert not [problem for problem in found if "hunter2" in str(problem)]


def test_every_problem_is_found_at_once() -> None:
    found = problems({"LOG_LEVEL": "info", "FINE": "1", "WORKERS": "0", "A B": ""})

    assert [problem.path for problem in found] == ["LOG_LEVEL", "WORKERS", "'A B'"]
