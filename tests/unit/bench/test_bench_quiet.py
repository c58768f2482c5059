"""How busy the machine is, from the kernel's ticks."""

import pytest

from dev.bench import quiet


@pytest.mark.parametrize(
    ("after", "cores"),
    [
        ([0, 0, 0, 400, 0, 0, 0, 0], 0.0),
        ([100, 0, 50, 250, 0, 0, 0, 0], 0.75),
        ([0, 0, 0, 100, 300, 0, 0, 0], 0.0),
        ([0, 0, 0, 200, 0, 0, 0, 200], 1.0),
        ([0] * 8, 0.0),
    ],
)
def test_what_neither_waits_nor_idles_is_busy(after: list[int], cores: float) -> None:
    assert quiet.busy_cores([0] * 8, after, 2) == pytest.approx(cores)
    assert quiet.busy_cores([7] * 8, [one + 7 for one in after], 2) == pytest.approx(cores)


def test_a_quiet_machine_is_no_news(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quiet.time, "sleep", lambda _: None)
    readings = [[0] * 8, [0, 0, 0, 400, 0, 0, 0, 0], [0] * 8, [200, 0, 0, 200, 0, 0, 0, 0]]
    monkeypatch.setattr(quiet, "_ticks", lambda: readings.pop(0))
    monkeypatch.setattr(quiet.os, "cpu_count", lambda: 2)

    quiet.tell_if_busy()
    assert capsys.readouterr().out == ""
    quiet.tell_if_busy()
    assert "1.0 cores" in capsys.readouterr().out
