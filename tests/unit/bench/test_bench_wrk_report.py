"""What wrk says, as numbers."""

import pytest

from dev.bench import wrk
from dev.toolchain import debian_packages
from dev.toolchain.steps import SetupError

REPORT = """\
Running 2s test @ http://127.0.0.1:18000/
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.99ms   11.31ms 130.13ms   91.04%
    Req/Sec    11.03k     2.95k   17.61k    68.29%
  Latency Distribution
     50%  820.00us
     75%    4.64ms
     90%   13.12ms
     99%    1.02sPAD
  44981 requests in 2.07s, 7.98MB read
Requests/sec:  21710.11
Transfer/sec:      3.85MB
""".replace("PAD", " ")  # wrk writes seconds so


def test_rate_and_latencies_are_read():
    assert wrk.parse(REPORT) == wrk.Load(21710.11, 0.82, 1020.0)


@pytest.mark.parametrize(
    "line",
    ["  Non-2xx or 3xx responses: 12", "  Socket errors: connect 0, read 3, write 0, timeout 1"],
)
def test_a_run_with_failures_does_not_count(line):
    with pytest.raises(ValueError, match="failed under load"):
        wrk.parse(REPORT + line + "\n")


@pytest.mark.parametrize("text", ["", "unable to connect", REPORT.replace("99%", "98%")])
def test_what_is_no_report_is_refused(text):
    with pytest.raises(ValueError, match="wrk"):
        wrk.parse(text)


def test_without_wrk_and_root_the_cure_is_told(monkeypatch):
    monkeypatch.setattr(debian_packages.shutil, "which", lambda _: None)
    monkeypatch.setattr(debian_packages.os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError, match=r"bench can't do without wrk\n.* install .* wrk"):
        wrk.ensure()
