"""What the throughput bench compares, and its chart; nothing is started."""

from xml.etree import ElementTree

import crossplane
import pytest

from dev.bench import plot, throughput
from dev.bench.ratios import Comparison
from dev.bench.wrk import Load

CASES = [case for backend in ("trivial", "uvicorn") for case in throughput.cases(backend)]
PORTS = [9001, 9002, 9003]


def test_both_balancers_are_compared_with_both_kinds_of_servers():
    assert len({case.title for case in CASES}) == len(CASES) == 16
    aimed = {(c.program, c.version, c.backend): str(c.aim) for c in CASES if c.aim}
    assert aimed == {("nginx", "1.22", "trivial"): "≥ 3.0", ("nginx", "1.22", "uvicorn"): "≥ 1.9"}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.title)
def test_both_files_listen_where_they_should_and_have_the_same_servers(case, tmp_path):
    ours = throughput.rendered(case, 8080, 8081, PORTS)
    guide = case.guide(8082, PORTS)
    for text, port in ((ours, 8080), (guide, 8082)):
        assert all(f"127.0.0.1:{server}" in text for server in PORTS)
        assert f"listen {port}" in text or f":{port}\n" in text
    if case.program == "nginx":
        (tmp_path / "nginx.conf").write_text(guide)
        assert crossplane.parse(str(tmp_path / "nginx.conf"))["errors"] == []


def test_the_guides_files_lack_what_ours_have():
    [hashed] = [c for c in throughput.cases("trivial") if c.title.startswith("nginx 1.22, session")]
    assert "keepalive 64" in throughput.rendered(hashed, 8080, 8081, PORTS)
    assert "keepalive " not in hashed.guide(8082, PORTS)
    assert "hash $session_id consistent;" in hashed.guide(8082, PORTS)


@pytest.mark.parametrize("logged", [True, False])
def test_haproxy_is_compared_with_its_log_and_without_as_the_guides_file_is(logged):
    chosen = [c for c in CASES if c.program == "HAProxy" and ("no log" not in c.title) == logged]
    assert len(chosen) == 4
    for case in chosen:
        assert ("log-format" in throughput.rendered(case, 8080, 8081, PORTS)) == logged
        assert "log" not in case.guide(8082, PORTS)


def test_the_chart_has_two_bars_a_case_and_is_well_formed(tmp_path):
    loads = [
        throughput.Throughput(
            case, Comparison(case.title, (30.0,), (10.0,), case.aim, "requests/s"),
            Load(30.0, 1.0, 9.0), Load(10.0, 4.0, 20.0),
        )
        for case in CASES
    ]  # fmt: skip
    path = plot.write(loads, tmp_path / "deep" / "chart.svg")
    root = ElementTree.parse(path).getroot()
    shapes = [element.tag.rpartition("}")[2] for element in root.iter()]
    # The background, two in the legend, two a case.
    assert shapes.count("rect") == 1 + 2 + 2 * len(CASES)
    texts = [element.text for element in root.iter() if element.text]
    assert all(case.title in texts for case in CASES)
    widths = {e.get("width") for e in root.iter() if e.tag.endswith("rect")}
    assert "410.0" in widths
