"""What drain and replace print, and their exit codes."""

import json
from collections.abc import Iterator

import pytest

from kato_balancing.cli import main
from kato_balancing.operations import drain_command, replace_command
from kato_balancing.operations.report import OperationError, ReplicaReport
from kato_balancing.operations.stack import Stack, Tell

DONE = ReplicaReport("kato-0", 9, 7.25, 3.5)


class FakePlatform:
    def drain(self, name: str, limit: float, tell: Tell) -> ReplicaReport:
        assert limit == 600
        tell("drained")
        if name == "kato-9":
            raise OperationError("there is no replica 'kato-9'")
        return ReplicaReport(name, None, 2.0, None)

    def undo(self, name: str, tell: Tell) -> None:
        assert name == "kato-1"
        tell("given back")

    def replace(self, names: object, limit: float, tell: Tell) -> Iterator[ReplicaReport]:
        assert limit == 600
        tell("replaced")
        yield DONE
        if names is not None:
            raise OperationError("kato-1 is not idle")


@pytest.fixture(autouse=True)
def _platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(Stack, "select", lambda folder, name: Stack(folder, name or "dev"))
    for module in (drain_command, replace_command):
        monkeypatch.setattr(module, "platform_of", lambda _: FakePlatform())


def test_the_table_fits_80_columns(capsys):
    assert main(["replace", "--all"]) == 0
    out, err = capsys.readouterr()
    assert err == "replaced\n"
    assert max(map(len, out.splitlines())) <= 80
    for words in ("kato-0", " 9 ", "7.2 s", "3.5 s"):
        assert words in out


def test_what_was_done_is_shown_also_when_the_next_failed(capsys):
    assert main(["replace", "kato-0", "kato-1", "--json"]) == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [one["replica"] for one in found["replicas"]] == ["kato-0"]
    assert found["problem"] == "kato-1 is not idle"
    assert "kato-lb replace: kato-1 is not idle" in err


def test_a_drain_and_its_undo(capsys):
    assert main(["drain", "kato-1"]) == 0
    assert "not counted" in capsys.readouterr().out
    assert main(["drain", "kato-1", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)["replicas"]
    assert (one["replica"], one["drained_seconds"]) == ("kato-1", 2.0)
    assert main(["drain", "kato-1", "--undo"]) == 0
    assert capsys.readouterr().out == "kato-1 gets work again\n"
    assert main(["drain", "kato-9"]) == 1
    assert "no replica 'kato-9'" in capsys.readouterr().err
