"""Versions as people write them, and problems as people read them."""

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from kato_balancing.fields import Frozen
from kato_balancing.problems import InvalidInput, Problem, from_validation
from kato_balancing.targets import UnsupportedFeature, parse_version, show


@pytest.mark.parametrize(
    ("text", "version", "shown"),
    [
        ("1.30", (1, 30, 0), "1.30"),
        ("1.30.0", (1, 30, 0), "1.30"),
        ("1.30.4", (1, 30, 4), "1.30.4"),
        ("0.9", (0, 9, 0), "0.9"),
    ],
)
def test_a_version_is_read_and_shown(text: str, version: tuple[int, int, int], shown: str) -> None:
    assert parse_version(text) == version
    assert show(version) == shown


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.30.4.1", "v1.30", "1.30-alpine", "1.x", " 1.30", "1.30\n", "1..3", "1.99999"],
)
def test_what_is_no_version_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it as in 1\.30 or 1\.30\.4"):
        parse_version(text)


def test_versions_are_ordered_by_number_and_not_by_text() -> None:
    assert parse_version("1.9") < parse_version("1.22") < parse_version("1.27.10")


def test_a_refusal_names_the_setting() -> None:
    refusal = UnsupportedFeature("tls", "not here")

    assert (refusal.path, str(refusal)) == ("tls", "tls: not here")


class _Inner(Frozen):
    size: Annotated[int, Field(lt=10)]


class _Outer(Frozen):
    items: tuple[_Inner, ...] = ()
    word: Annotated[str, Field(max_length=3)] = ""
    flag: bool = False


def _found(data: dict[str, object]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        _Outer.model_validate(data)
    return [str(problem) for problem in from_validation(caught.value)]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"items": ({"size": 10},)}, "items[0].size: must be less than 10 (got 10)"),
        ({"items": ({},)}, "items[0].size: is required"),
        ({"items": ({"size": 1}, 4)}, "items[1]: must be a group of settings (got 4)"),
        ({"word": "long"}, "word: must have at most 3 characters (got 'long')"),
        ({"word": 1}, "word: must be a text (got 1)"),
        ({"flag": 1}, "flag: must be true or false, written without quotes (got 1)"),
        ({"other": None}, "other: is not a known setting; check its spelling (got None)"),
    ],
)
def test_a_finding_is_put_in_plain_words(data: dict[str, object], line: str) -> None:
    assert _found(data) == [line]


def test_a_long_value_is_shortened() -> None:
    [line] = _found({"word": "x" * 500})

    assert line.endswith("...)")
    assert len(line) < 150


def test_a_problem_without_a_path_is_its_message() -> None:
    assert str(Problem("", "wrong")) == "wrong"
    assert str(InvalidInput([Problem("a", "one"), Problem("", "two")])) == "a: one\ntwo"
