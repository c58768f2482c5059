"""Every command of ``kato-lb`` says how it ends: scripts decide by its exit code."""

import re

import pytest

from kato_balancing.cli import main


def helped(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_every_command_tells_its_exit_codes(capsys):
    commands = re.findall(r"^    ([a-z]+)(?: |$)", helped(capsys), re.MULTILINE)
    assert {"render", "monitoring", "rollout"} <= set(commands)
    assert len(commands) == 11
    for command in commands:
        text = helped(capsys, command)
        codes = text.partition("exit codes:")[2]
        assert re.findall(r"^  (\d+)  ", codes, re.MULTILINE)[:1] == ["0"], command
