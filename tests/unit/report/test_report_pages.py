"""The page: what it shows of a run, and that no text of the run becomes a part of the page."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from page_reader import Node, assert_self_contained, read
from run_samples import rollout_run, traffic, verify_run
from run_strategies import HOSTILE, runs

from kato_balancing.report.page import page
from kato_balancing.report.run_document import (
    Check,
    Failures,
    Latency,
    Mark,
    Run,
    Slice,
    Traffic,
    Verdict,
)

LATENCY = Latency(0.004, 0.009, 0.02, 0.08)
EMPTY = Traffic(0.0, 0, 0, None, {}, 1.0, (), (), ())


def of_traffic(seen: Traffic) -> Run:
    check = Check("load", Verdict.HOLDS, "fine", {}, (), seen)
    return replace(verify_run(), checks=(check,))


def shown(seen: Traffic) -> Node:
    root = read(page(of_traffic(seen)))
    assert_self_contained(root)
    return root


@settings(max_examples=60, deadline=None)
@given(runs())
def test_no_text_of_a_run_becomes_markup(run: Run) -> None:
    root = read(page(run))

    assert_self_contained(root)
    assert len(root.all("style")) == 1
    assert len(root.all("meta")) == 3
    assert len(root.all("section")) == len(run.checks)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_as_it_is(text: str) -> None:
    seen = replace(
        traffic(),
        servers={text: 7, "kato-0": 8},
        marks=(Mark(1.0, text),),
        failures=(Failures(text, "GET", 3, 1.0, 2.0, text),),
    )
    check = Check(text, Verdict.BROKEN, text, {text: text}, (text,), seen)

    root = read(page(Run(verify_run().kind, text, verify_run().began, (check,))))

    assert_self_contained(root)
    for forbidden in "\x00\x1b\uffff":
        text = text.replace(forbidden, "\ufffd")
    assert root.all("title")[0].text == f"Verification of {text}"
    assert root.all("h1")[0].text == f"Verification of {text}"
    assert root.all("h2")[0].text == f"{text} ✗ does not hold"
    assert root.all("li")[0].text == text
    assert root.table("Figures") == [[text, text]]
    assert root.table("Good answers per server")[0][0] == text
    assert root.table("Events, numbered as in the plot") == [["1", "1.0 s", text]]
    [failure] = root.table(f"{seen.failed:,} of {seen.requests:,} requests failed")
    assert (failure[0], failure[4]) == (text, text)


def test_the_browser_is_told_to_ask_for_nothing() -> None:
    [policy] = [
        meta.attributes["content"]
        for meta in read(page(verify_run())).all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    ]

    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


@pytest.mark.parametrize("run", [verify_run(), rollout_run()], ids=["verify", "rollout"])
def test_the_page_names_every_server_event_and_failure(run: Run) -> None:
    root = read(page(run))

    words = root.all("main")[0].text
    for check in run.checks:
        assert check.summary in words
        for message in check.messages:
            assert message in words
        if check.traffic is not None:
            servers = {row[0]: row[1] for row in root.table("Good answers per server")}
            assert servers == {name: f"{n:,}" for name, n in check.traffic.servers.items()}
            events = root.table("Events, numbered as in the plot")
            assert [row[2] for row in events] == [mark.event for mark in check.traffic.marks]
            for failure in check.traffic.failures:
                assert failure.cause in words
    for step in run.steps:
        assert step.why in words


def test_the_verdicts_stand_first() -> None:
    root = read(page(verify_run()))

    assert root.all("p", "banner")[0].text == "Does not hold."
    assert [row[:2] for row in root.table("Checks")] == [
        ["affinity", "✓ holds"],
        ["redis-restart", "✗ does not hold"],
        ["keep-alive", "? not decided"],
    ]


def test_a_rollout_shows_where_it_stopped_and_both_pools() -> None:
    root = read(page(rollout_run()))

    assert "Stopped at 25 %: 48.5 %" in root.all("p", "banner")[1].text
    assert [row[0] for row in root.table("What was decided, and why")] == ["5 %", "25 %"]
    pools = root.table("What both pools did at each step")
    assert [row[1] for row in pools] == ["primary", "canary"] * 2
    assert pools[3][2:] == ["1,130", "548", "-", "-", "-"]


def test_figures_of_every_shape_are_shown() -> None:
    figures = {
        "one_server_share": 0.5,
        "yes": True,
        "nothing": None,
        "kinds": {"GET": 2000, "POST": 3},
        "empty": [],
        "ways": [{"way": "path", "requests": 1600}, {"way": "header"}],
    }
    check = Check("load", Verdict.HOLDS, "fine", figures, (), None)

    root = read(page(replace(verify_run(), checks=(check,))))

    assert root.table("Figures") == [
        ["one server share", "50.0%"],
        ["yes", "yes"],
        ["nothing", "-"],
        ["kinds", "GET: 2,000, POST: 3"],
        ["empty", "-"],
    ]
    assert root.table("ways") == [["path", "1,600"], ["header", "-"]]


@pytest.mark.parametrize("count", [1, 2, 64])
def test_every_server_has_a_row_and_a_bar_within_the_picture(count: int) -> None:
    servers = {f"kato-{number}": 100 + number for number in range(count)}

    root = shown(replace(traffic(), servers=servers))

    rows = root.table("Good answers per server")
    assert [row[0] for row in rows] == list(servers)
    shares = [float(row[2].rstrip("%")) for row in rows]
    assert sum(shares) == pytest.approx(100, abs=0.06 * count)
    chart = root.all("svg")[0]
    words = [text.text for text in chart.all("text")]
    assert [word for word in words if word in servers] == list(servers)
    width, height = (float(number) for number in chart.attributes["viewbox"].split()[2:])
    bars = [one for one in chart.all("rect", "fill-0") if one.attributes["height"] != "10"]
    assert len(bars) == count
    tops = [float(one.attributes["y"]) for one in bars]
    assert tops == sorted(set(tops))
    for one, value in zip(bars, servers.values(), strict=True):
        right = float(one.attributes["x"]) + float(one.attributes["width"])
        assert right < width - 24
        assert float(one.attributes["y"]) + float(one.attributes["height"]) < height
        longest = max(float(bar.attributes["width"]) for bar in bars)
        wanted = longest * value / max(servers.values())
        assert float(one.attributes["width"]) == pytest.approx(wanted, abs=0.1)


def test_a_long_name_is_cut_in_the_plot_and_whole_in_the_table() -> None:
    name = "kato-of-a-very-long-component-name-0"

    root = shown(replace(traffic(), servers={name: 5}))

    [label] = [one for one in root.all("svg")[0].all("text") if "…" in one.text]
    assert [part.text for part in label.all("title")] == [name]
    assert label.parts[-1] == "kato-of-a-very-long-c…"
    assert root.table("Good answers per server")[0][0] == name


def test_servers_without_a_good_answer_have_a_bar_of_no_length() -> None:
    root = shown(replace(traffic(), servers={"kato-0": 0, "kato-1": 0}))

    assert root.table("Good answers per server") == [
        ["kato-0", "0", "0.0%"],
        ["kato-1", "0", "0.0%"],
    ]


def test_a_balancer_that_names_no_server_is_said() -> None:
    assert "The balancer named no server." in shown(replace(traffic(), servers={})).text


def _timeline(root: Node) -> Node:
    [found] = root.all("svg", "timeline")
    return found


def test_events_are_marked_where_they_happened() -> None:
    seen = traffic()

    line = _timeline(shown(seen))

    marks = [group for group in line.all("g") if group.all("line", "event")]
    assert [one.all("text")[0].text for one in marks] == ["1", "2", "3", "4", "5"]
    tips = [one.all("title")[0].text for one in marks]
    assert tips == [f"{mark.at:.1f} s: {mark.event}" for mark in seen.marks]
    places = [float(one.all("line")[0].attributes["x1"]) for one in marks]
    across = (960 - 24 - 64) / seen.seconds
    assert places == pytest.approx([64 + mark.at * across for mark in seen.marks], abs=0.1)


def test_failures_are_bars_and_an_outage_is_a_gap() -> None:
    line = _timeline(shown(traffic()))

    bars = [one for one in line.all("rect", "failed") if one.all("title")]
    assert [one.all("title")[0].text for one in bars] == [
        "from 21 s: 35 requests failed",
        "from 22 s: 240 requests failed",
        "from 23 s: 240 requests failed",
        "from 24 s: 35 requests failed",
    ]
    assert float(bars[1].attributes["height"]) > float(bars[0].attributes["height"])
    [curve] = line.all("path", "curve-p99")
    assert curve.attributes["d"].count("M") == 2


def test_a_timeline_without_data_is_left_out() -> None:
    root = shown(EMPTY)

    assert root.all("svg", "timeline") == []
    assert root.table("All requests, 0.0 s") == [["0", "0", "-", "-", "-"]]
    assert "No request failed." in root.text


def test_a_timeline_without_data_still_lists_its_events() -> None:
    root = shown(replace(EMPTY, marks=(Mark(3.0, "kill of kato-0"),)))

    assert root.table("Events, numbered as in the plot") == [["1", "3.0 s", "kill of kato-0"]]


@pytest.mark.parametrize(
    "one",
    [
        Slice(0.0, 10, 0, LATENCY),
        Slice(0.0, 10, 10, None),
        Slice(0.0, 1, 0, Latency(0.0, 0.0, 0.0, 0.0)),
        Slice(0.0, 1, 0, Latency(5e-324, 5e-324, 5e-324, None)),
        Slice(0.0, 1, 0, Latency(9e15, 9e15, 9e15, None)),
    ],
    ids=["good", "failed", "zero", "tiny", "huge"],
)
def test_a_timeline_of_one_sample(one: Slice) -> None:
    line = _timeline(shown(replace(EMPTY, seconds=1.0, requests=10, series=(one,))))

    assert len(line.all("circle")) == (3 if one.latency else 0)
    assert len([bar for bar in line.all("rect", "failed") if bar.all("title")]) == bool(one.failed)
    if not one.failed:
        assert "no request failed" in line.text
    for dot in line.all("circle"):
        assert 56 <= float(dot.attributes["cy"]) <= 56 + 220
        assert 64 <= float(dot.attributes["cx"]) <= 960 - 24


def test_slices_in_any_order_stay_within_the_plot() -> None:
    series = tuple(Slice(at, 5, 1, LATENCY) for at in (50.0, 2.0, 9.0))

    line = _timeline(shown(replace(EMPTY, seconds=1.0, requests=15, failed=3, series=series)))

    for bar in (one for one in line.all("rect", "failed") if one.all("title")):
        right = float(bar.attributes["x"]) + float(bar.attributes["width"])
        assert right <= 960 - 24 + 0.1


def test_an_event_after_the_last_request_is_within_the_plot() -> None:
    line = _timeline(shown(replace(traffic(), marks=(Mark(400.0, "settled"),))))

    assert [float(one.attributes["x1"]) for one in line.all("line", "event")[1:]] == [960 - 24]


def test_failures_are_listed_with_when_and_why() -> None:
    seen = replace(traffic(), requests=24000, failed=550)

    [first, second] = shown(seen).table("550 of 24,000 requests failed")

    assert first == [
        "500",
        "POST",
        "330",
        "21.1 to 24.4 s",
        "KATO failed inside: look into its log",
    ]
    assert second[:3] == ["404", "GET", "220"]


def test_a_single_failure_has_one_moment() -> None:
    one = Failures("502", "GET", 1, 3.25, 3.25, "the balancer found no server")

    root = shown(replace(EMPTY, requests=4, failed=1, failures=(one,)))

    assert root.table("1 of 4 requests failed")[0][3] == "3.2 s"
