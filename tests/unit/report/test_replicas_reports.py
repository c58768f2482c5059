"""The page of a replacement or a drain, from what the commands print."""

import json
import math
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_reader import assert_self_contained, read
from run_strategies import HOSTILE, counts, numbers, texts

from kato_balancing.operations.report import ReplicaReport
from kato_balancing.problems import InvalidInput
from kato_balancing.report.replicas_document import Replicas
from kato_balancing.report.replicas_page import replicas_page

REPLACED = ReplicaReport("kato-0", 9, 7.24, 3.5)
ON_KUBERNETES = ReplicaReport("kato-1", None, 16.0, 4.0)
DRAINED = ReplicaReport("kato-2", 4, 2.0, None)


def printed(*reports: ReplicaReport, problem: str | None = None) -> Any:
    found = {"replicas": [asdict(one) for one in reports], "problem": problem}
    return json.loads(json.dumps(found))


def refusal(document: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        Replicas.from_dict(document)
    return str(refused.value)


def test_what_the_commands_print_is_read() -> None:
    found = Replicas.from_dict(printed(REPLACED, ON_KUBERNETES, problem="kato-2 is not idle"))

    assert [asdict(one) for one in found.replicas] == [asdict(REPLACED), asdict(ON_KUBERNETES)]
    assert found.problem == "kato-2 is not idle"


def test_a_replacement_shows_each_replica() -> None:
    root = read(replicas_page(Replicas.from_dict(printed(REPLACED, ON_KUBERNETES))))

    assert_self_contained(root)
    assert root.all("h1")[0].text == "Replaced replicas"
    assert root.all("p", "holds")[0].text == "Done: each is new and healthy."
    assert root.table("What became of each, in this order") == [
        ["kato-0", "9", "7.2 s", "3.5 s"],
        ["kato-1", "not counted", "16.0 s", "4.0 s"],
    ]
    words = [text.text for text in root.all("svg")[0].all("text")]
    assert {"1. kato-0", "2. kato-1", "7.2", "3.5", "16.0", "4.0"} <= set(words)


def test_what_failed_stands_first_also_when_nothing_was_done() -> None:
    root = read(replicas_page(Replicas.from_dict(printed(problem="kato-0 is not idle"))))

    assert root.all("h1")[0].text == "Replaced replicas"
    assert root.all("p", "broken")[0].text == "Not done: kato-0 is not idle"
    assert root.all("table") == []


def test_a_drain_has_no_time_until_healthy() -> None:
    document = printed(DRAINED)
    del document["problem"]

    root = read(replicas_page(Replicas.from_dict(document)))

    assert root.all("h1")[0].text == "Drained replicas"
    assert root.table("What became of each, in this order")[0][3] == "-"
    assert "until healthy" not in root.all("svg")[0].text


@pytest.mark.parametrize("count", [1, 64])
def test_every_replica_has_its_bars(count: int) -> None:
    names = [f"kato-{number}" for number in range(count)]
    reports = [ReplicaReport(name, 1, 1.5, 2.5) for name in names]

    root = read(replicas_page(Replicas.from_dict(printed(*reports))))

    rows = root.table("What became of each, in this order")
    assert [row[0] for row in rows] == names
    bars = [one for one in root.all("rect", "fill-0") if one.attributes["height"] != "10"]
    assert len(bars) == count


def test_the_smallest_of_times_has_a_bar_too() -> None:
    tiny = ReplicaReport("kato-0", 1, 5e-324, 0.0)

    root = read(replicas_page(Replicas.from_dict(printed(tiny))))

    [bar] = [one for one in root.all("rect", "fill-0") if one.attributes["height"] != "10"]
    assert float(bar.attributes["width"]) == 720 - 170 - 3 * 24


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.builds(ReplicaReport, texts, st.none() | counts, numbers, st.none() | numbers)),
    texts,
)
def test_no_text_becomes_markup(reports: list[ReplicaReport], problem: str) -> None:
    root = read(replicas_page(Replicas.from_dict(printed(*reports, problem=problem))))

    assert_self_contained(root)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_is_shown_as_it_is(text: str) -> None:
    root = read(replicas_page(Replicas.from_dict(printed(ReplicaReport(text, 1, 1.0, 1.0)))))

    for forbidden in "\x00\x1b\uffff":
        text = text.replace(forbidden, "\ufffd")
    assert root.table("What became of each, in this order")[0][0] == text


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"replicas": []}, "replicas"),
        ({"replicas": 3}, "replicas"),
        ({"replicas": ["kato-0"]}, "replicas[0]"),
        ({"replicas": [{**asdict(REPLACED), "drained_seconds": "7"}]}, "replicas[0].drained_sec"),
        ({"replicas": [{**asdict(REPLACED), "drained_seconds": -1}]}, "replicas[0].drained_sec"),
        ({"replicas": [{**asdict(REPLACED), "healthy_seconds": math.nan}]}, "replicas[0].healthy"),
        ({"replicas": [{**asdict(REPLACED), "connections": 2**60}]}, "replicas[0].connections"),
        ({"replicas": [{**asdict(REPLACED), "colour": 1}]}, "replicas[0].colour"),
        ({"replicas": [{"replica": "kato-0"}]}, "replicas[0].connections"),
        ({"replicas": [asdict(REPLACED)], "problem": 5}, "problem"),
        ({"replicas": [asdict(REPLACED)], "kind": "replace"}, "kind"),
        ({"replicas": [{**asdict(REPLACED), "replica": "\ud800"}]}, "replicas[0].replica"),
    ],
)
def test_what_is_no_such_document_is_refused(document: object, path: str) -> None:
    message = refusal(document)

    assert message.startswith(path)
    assert "write it again, with 'kato-lb replace --json'" in message
