"""Rules, dashboard and scrape configuration: all of the one list, and nothing but it."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kato_balancing import cli
from kato_balancing.monitoring import dashboard, page, rules, scraping
from kato_balancing.monitoring.exporter.collector import BalancerCollector
from kato_balancing.monitoring.exporter.server_names import NamedServer, ServerNames
from kato_balancing.monitoring.exporter.session_table import SessionTable
from kato_balancing.monitoring.exporter.traffic import Traffic
from kato_balancing.monitoring.panels import ALERTS, PANELS, Alert, Panel

OFTEN_ENOUGH = 4
"""Scrapes in the shortest window of an expression: with fewer, a late one empties a panel."""


def _exported() -> set[str]:
    traffic = Traffic(ServerNames([]), SessionTable())
    collector = BalancerCollector(traffic, threading.Lock(), status_url=None, connection_limit=500)
    nginx = {"kato_lb_connections"}
    names = {metric.name for metric in collector.collect()} | nginx
    endings = ("", "_total", "_bucket", "_sum", "_count")
    return {name + ending for name in names for ending in endings}


def _graphs() -> list[dict[str, Any]]:
    return [one for one in dashboard.dashboard()["panels"] if one["type"] != "row"]


def test_titles_and_names_are_unique() -> None:
    assert len({panel.title for panel in PANELS}) == len(PANELS) >= 15
    assert len({alert.name for alert in ALERTS}) == len(ALERTS) >= 8


@pytest.mark.parametrize("item", [*PANELS, *ALERTS], ids=lambda item: item.expression[:40])
def test_expressions_name_metrics_that_exist(item: Panel | Alert) -> None:
    used = set(re.findall(r"\bkato_lb_\w+", item.expression))

    assert used <= _exported()


@pytest.mark.parametrize("item", [*PANELS, *ALERTS], ids=lambda item: item.expression[:40])
def test_windows_hold_enough_scrapes(item: Panel | Alert) -> None:
    windows = re.findall(r"\[(\d+)m\]", item.expression)

    assert all(60 * int(minutes) >= OFTEN_ENOUGH * scraping.SECONDS for minutes in windows)


def test_panels_of_a_row_stand_together() -> None:
    rows = [panel.row for panel in PANELS]

    assert rows == sorted(rows, key=rows.index)


def test_every_panel_is_a_graph() -> None:
    assert [
        (graph["title"], graph["description"], graph["targets"][0]["expr"]) for graph in _graphs()
    ] == [(panel.title, panel.tells, panel.expression) for panel in PANELS]


def test_graphs_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard.dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def _values(node: Any, key: str) -> Iterator[Any]:
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _values(item, key)


def test_the_viewer_chooses_the_data_source() -> None:
    found = dashboard.dashboard()

    assert {source["uid"] for source in _values(found, "datasource")} == {"${datasource}"}
    assert [one["type"] for one in found["templating"]["list"]] == ["datasource"]
    assert "uid" not in found
    ids = [panel["id"] for panel in found["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_alert_is_a_rule() -> None:
    [group] = yaml.safe_load(rules.document())["groups"]

    assert group == rules.groups()[0]
    assert [
        (rule["alert"], rule["expr"], rule["for"], rule["labels"], rule["annotations"])
        for rule in group["rules"]
    ] == [
        (
            alert.name,
            f"({alert.expression}) > {alert.above:g}",
            f"{alert.seconds}s",
            {"severity": alert.severity.value},
            {"summary": alert.summary, "description": alert.cure},
        )
        for alert in ALERTS
    ]


def test_targets_are_listed_or_looked_up() -> None:
    jobs = [
        scraping.Job("fixed", targets=["exporter:9102"]),
        scraping.Job(
            "servers",
            servers=[
                NamedServer("a", "kato-0.local", 8000),
                NamedServer("b", "10.0.0.1", 8000),
                NamedServer("c", "2001:db8::1", 8000),
            ],
            path="/figures",
        ),
    ]

    written = yaml.safe_load(scraping.configuration(jobs, ["/rules.yml"]))

    assert written["rule_files"] == ["/rules.yml"]
    assert written["scrape_configs"] == [
        {
            "job_name": "fixed",
            "metrics_path": "/metrics",
            "static_configs": [{"targets": ["exporter:9102"]}],
        },
        {
            "job_name": "servers",
            "metrics_path": "/figures",
            "static_configs": [
                {"targets": ["10.0.0.1:8000"], "labels": {"server": "b"}},
                {"targets": ["[2001:db8::1]:8000"], "labels": {"server": "c"}},
            ],
            "dns_sd_configs": [
                {"names": ["kato-0.local"], "type": "A", "port": 8000, "refresh_interval": "5s"}
            ],
            "relabel_configs": [
                {
                    "source_labels": ["__meta_dns_name"],
                    "regex": r"kato\-0\.local\.?",
                    "target_label": "server",
                    "replacement": "a",
                }
            ],
        },
    ]


def test_the_command_prints_or_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["monitoring", "rules"]) == 0
    assert capsys.readouterr().out == rules.document()
    file = tmp_path / "dashboard.json"
    assert cli.main(["monitoring", "dashboard", "--out", str(file)]) == 0
    assert json.loads(file.read_text()) == dashboard.dashboard()


def test_a_file_that_can_not_be_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["monitoring", "rules", "--out", "/nowhere/rules.yml"])

    assert ended.value.code == 2
    assert "--out: can't be written" in capsys.readouterr().err


def test_the_documentation_has_every_panel_and_alert() -> None:
    text = (Path(__file__).parents[3] / "docs" / "monitoring.md").read_text()

    assert page.updated(text) == text, "run 'make docs'"
    for item in (*(panel.title for panel in PANELS), *(alert.name for alert in ALERTS)):
        assert item in text


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lost the marks"):
        page.updated("# Monitoring")
