"""A run's document: what is written is read again, and nothing else is taken for one."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from run_samples import rollout_run, verify_run
from run_strategies import runs

from kato_balancing.problems import InvalidInput
from kato_balancing.report.json_limits import DEEPEST, LARGEST
from kato_balancing.report.run_document import FORMAT, Run


def written(run: Run) -> Any:
    return json.loads(json.dumps(run.to_dict(), allow_nan=False))


def refusal(document: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        Run.from_dict(document)
    return str(refused.value)


@pytest.mark.parametrize("run", [verify_run(), rollout_run()], ids=["verify", "rollout"])
def test_what_is_written_is_read_again(run: Run) -> None:
    assert Run.from_dict(written(run)) == run


@settings(max_examples=60, deadline=None)
@given(runs())
def test_any_run_that_is_written_is_read_again(run: Run) -> None:
    read = Run.from_dict(written(run))

    assert read == run
    assert written(read) == written(run)


def test_the_moment_is_kept_as_it_was_measured() -> None:
    run = replace(verify_run(), began=datetime(2026, 3, 1, 12, 30, 5, 123456, UTC))

    assert Run.from_dict(written(run)).began == run.began


def _without(*path: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        *way, last = path
        for part in way:
            document = document[part]
        del document[last]

    return change


def _with(value: object, *path: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        *way, last = path
        for part in way:
            document = document[part]
        document[last] = value

    return change


TRAFFIC = ("checks", 1, "traffic")
SLICE = (*TRAFFIC, "series", 3)


@pytest.mark.parametrize(
    "path",
    [
        ("format",),
        ("kind",),
        ("url",),
        ("began",),
        ("holds",),
        ("checks",),
        ("steps",),
        ("checks", 0, "name"),
        ("checks", 0, "traffic"),
        (*TRAFFIC, "servers"),
        (*TRAFFIC, "interval"),
        (*SLICE, "latency"),
        (*SLICE, "latency", "max"),
        (*TRAFFIC, "marks", 0, "event"),
        (*TRAFFIC, "failures", 1, "cause"),
    ],
    ids=str,
)
def test_a_missing_field_is_named(path: tuple[str | int, ...]) -> None:
    document = written(verify_run())
    _without(*path)(document)

    message = refusal(document)

    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]
    assert message.startswith(f"{shown}: is ")
    assert ("is missing" if path == ("format",) else "is required") in message
    assert "write it again, with --json" in message


@pytest.mark.parametrize(
    ("change", "path", "rule"),
    [
        (_with("12", *TRAFFIC, "requests"), "checks[1].traffic.requests", "whole number"),
        (_with(1.5, *TRAFFIC, "requests"), "checks[1].traffic.requests", "whole number"),
        (_with(True, *TRAFFIC, "failed"), "checks[1].traffic.failed", "whole number"),
        (_with(-1, *TRAFFIC, "servers", "kato-0"), "checks[1].traffic.servers.kato-0", "at least"),
        (_with("1", *SLICE, "at"), "checks[1].traffic.series[3].at", "number of seconds"),
        (_with(0, *TRAFFIC, "interval"), "checks[1].traffic.interval", "at least 0.001"),
        (_with(5e-324, *TRAFFIC, "interval"), "checks[1].traffic.interval", "at least 0.001"),
        (_with([], *TRAFFIC, "servers"), "checks[1].traffic.servers", "group"),
        (_with({}, *TRAFFIC, "series"), "checks[1].traffic.series", "list"),
        (_with(None, "checks", 0), "checks[0]", "object"),
        (_with(5, "checks", 0, "summary"), "checks[0].summary", "text"),
        (_with("fine", "checks", 0, "verdict"), "checks[0].verdict", "'holds'"),
        (_with("drain", "kind"), "kind", "'verify'"),
        (_with(1767225600, "began"), "began", "datetime"),
        (_with("2026-03-01T12:30:00", "began"), "began", "timezone"),
        (_with("yes", "holds"), "holds", "verdicts say False"),
        (_with(True, "holds"), "holds", "verdicts say False"),
        (_with(1, "checks", 0, "colour"), "checks[0].colour", "nexpected"),
        (_with(1, "colour"), "colour", "nexpected"),
        (_with([], "checks"), "checks", "at least one"),
        (_with(written(rollout_run())["steps"], "steps"), "steps", "only a rollout"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(
    change: Callable[[Any], None], path: str, rule: str
) -> None:
    document = written(verify_run())
    change(document)

    message = refusal(document)

    assert message.startswith(f"{path}: ")
    assert rule in message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, LARGEST + 1, 1e308, 10**4000])
@pytest.mark.parametrize(
    "path",
    [
        (*TRAFFIC, "seconds"),
        (*TRAFFIC, "servers", "kato-0"),
        (*SLICE, "latency", "p99"),
        ("checks", 0, "figures", "sessions"),
        ("checks", 0, "figures", "ways", 1, "requests"),
    ],
    ids=str,
)
def test_numbers_that_no_run_has_are_refused(value: float, path: tuple[str | int, ...]) -> None:
    document = written(verify_run())
    _with(value, *path)(document)

    message = refusal(document)

    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]
    assert message.startswith(f"{shown}: must be a finite number between")


def test_the_largest_number_is_taken() -> None:
    document = written(verify_run())
    _with(LARGEST, *TRAFFIC, "servers", "kato-0")(document)

    traffic = Run.from_dict(document).checks[1].traffic

    assert traffic is not None
    assert traffic.servers["kato-0"] == LARGEST


@pytest.mark.parametrize("path", [("checks", 0, "summary"), (*TRAFFIC, "servers", "k\udc00")])
def test_half_characters_are_refused(path: tuple[str | int, ...]) -> None:
    document = written(verify_run())
    _with(1 if "servers" in path else "\ud800", *path)(document)

    message = refusal(document)

    assert "half a character" in message
    message.encode()


def test_a_value_that_is_nested_without_end_is_refused() -> None:
    document = written(verify_run())
    value: Any = 1
    for _ in range(50_000):
        value = [value]
    document["checks"][0]["figures"]["deep"] = value

    message = refusal(document)

    assert f"at most {DEEPEST} levels" in message
    assert len(message) < 300


@pytest.mark.parametrize("document", [None, 5, "text", [], {}, {"replicas": 3, "kind": "verify"}])
def test_another_json_is_not_a_run(document: object) -> None:
    assert refusal(document).startswith("format: is missing: this is not the document of a run")


@pytest.mark.parametrize("version", ["kato-lb-run/2", "kato-lb-run", 1, None, [], "x" * 10_000])
def test_another_version_is_refused_with_ours(version: object) -> None:
    message = refusal({**written(verify_run()), "format": version})

    assert message.startswith(f"format: must be {FORMAT}, not ")
    assert len(message) < 200


def test_every_wrong_field_is_told_at_once() -> None:
    document = written(verify_run())
    _with("1", *TRAFFIC, "requests")(document)
    _with(None, "checks", 0, "name")(document)

    lines = refusal(copy.deepcopy(document)).splitlines()

    assert [line.split(":")[0] for line in lines] == [
        "checks[0].name",
        "checks[1].traffic.requests",
    ]
