"""The command: its exit codes, its JSON, its table, its complaints."""

import json
import signal
import subprocess
import sys
import time

import pytest
from fake_balancer import FakeBalancer, served

from kato_balancing.cli import main

SMALL = ["--sessions", "4", "--writers", "8", "--observations", "40"]


def test_json_of_a_sound_balancer(capsys):
    with served(FakeBalancer()) as url:
        assert main(["verify", url + "/", *SMALL, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    report = json.loads(out)
    assert list(report) == ["format", "kind", "url", "began", "holds", "checks", "steps"]
    assert report["url"] == url
    assert report["holds"] is True
    assert [check["name"] for check in report["checks"]] == ["reachability", "affinity", "overlap"]
    for check in report["checks"]:
        assert list(check) == ["name", "verdict", "summary", "figures", "messages", "traffic"]
        assert check["verdict"] == "holds"
    overlap = report["checks"][2]["figures"]
    assert (overlap["acknowledged"], overlap["lost"], overlap["doubled"]) == (40, 0, 0)


def test_what_does_not_hold_is_1_and_the_table_fits_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with served(FakeBalancer("unlocked")) as url:
        assert main(["verify", url, *SMALL, "--check", "overlap"]) == 1
    out, _ = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    assert "NO" in out
    assert "KATO_WORKERS=1" in out


def test_what_cannot_be_decided_is_2(capsys):
    with served(FakeBalancer("not revealed")) as url:
        assert main(["verify", url, *SMALL, "--check", "affinity", "--json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert report["holds"] is None
    assert report["checks"][0]["verdict"] == "undecided"


def test_a_check_that_could_not_begin_has_empty_figures(capsys):
    with served(FakeBalancer("only 502")) as url:
        assert main(["verify", url, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["holds"] is False
    assert [check["figures"] for check in report["checks"][1:]] == [{}, {}]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["verify", "nowhere"], "URL: 'nowhere' does not begin with http://"),
        (["verify", "http://h", "--sessions", "0"], "--sessions: must be from 1 to 10000, not 0"),
        (["verify", "http://h", "--sessions", "x"], "--sessions: 'x' is not a whole number"),
        (["verify", "http://h", "--timeout", "x"], "--timeout: 'x' is not a number of seconds"),
        (["verify", "http://h", "--rounds", "1"], "--rounds: must be from 2"),
        (["verify", "http://h", "--observations", "99999"], "use at least 101 sessions"),
        (["verify", "http://h", "--server-header", "a b"], "--server-header: 'a b' is not"),
        (["verify", "http://h", "--ca-file", "/none"], "--ca-file: '/none' cannot be read"),
        (["verify", "http://h", "--check", "speed"], "invalid choice: 'speed'"),
        (["verify"], "URL"),
        ([], "COMMAND"),
        (["paint"], "invalid choice: 'paint'"),
    ],
)
def test_wrong_use_is_2_and_names_the_option(capsys, words, complaint):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err


@pytest.mark.parametrize("words", [["--help"], ["verify", "--help"]])
def test_help_explains(capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    assert "verify" in capsys.readouterr().out


IN_THE_FOREGROUND = """
import signal, sys
from kato_balancing.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(sys.argv[1:]))
"""
"""Python leaves SIGINT ignored where it was when it started, as in a background job."""


def test_ctrl_c_is_130_and_leaves_no_sessions():
    balancer = FakeBalancer()
    with served(balancer) as url:
        options = ["--check", "keep-alive", "--connections", "3", "--interval", "60"]
        command = [sys.executable, "-c", IN_THE_FOREGROUND, "verify", url, *options]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                limit = time.monotonic() + 20
                while sum(map(len, balancer.memories.values())) < 3:
                    assert time.monotonic() < limit, "the command sent nothing for 20 s"
                    time.sleep(0.01)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=20)
            finally:
                process.kill()
    assert process.returncode == 130
    assert out == b""
    assert b"stopped" in err
    assert b"Traceback" not in err
    assert balancer.memories == {}


def test_the_package_itself_imports_nothing_slow():
    code = "import kato_balancing, kato_balancing.cli, sys; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert not {"httpx", "rich", "pydantic", "asyncio"} & set(found.stdout.split())
