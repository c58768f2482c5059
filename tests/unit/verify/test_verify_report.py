"""What ``kato-lb verify --json`` prints is what ``kato-lb report`` reads."""

import json
from pathlib import Path

from fake_balancer import FakeBalancer, served

from kato_balancing.cli import main
from kato_balancing.report.run_document import Run

SMALL = ["--sessions", "4", "--writers", "8", "--observations", "40"]


def test_a_proof_becomes_a_page(tmp_path: Path, capsys) -> None:
    document, out = tmp_path / "run.json", tmp_path / "report.html"
    with served(FakeBalancer("unlocked")) as url:
        assert (
            main(["verify", url, "--check", "affinity", "--check", "overlap", *SMALL, "--json"])
            == 1
        )
    printed = capsys.readouterr().out
    document.write_text(printed)

    assert main(["report", str(document), "--out", str(out)]) == 0

    run = Run.from_dict(json.loads(printed))
    assert json.loads(json.dumps(run.to_dict())) == json.loads(printed)
    text = out.read_text(encoding="utf-8")
    assert text.count('class="timeline"') == len(run.checks) == 2
    for check in run.checks:
        assert check.traffic is not None
        assert check.traffic.servers
        for server in check.traffic.servers:
            assert f"<td>{server}</td>" in text
