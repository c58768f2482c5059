"""``kato-lb rollout`` as it is typed: what it asks of the stack, what it says, how it ends."""

import json

import pytest
from fake_pulumi import FakePulumi, setting

from kato_balancing.cli import main

HALF = {"image": "kato:6.4.0", "share": 50}
WRITES = ("config rm", "config set-all", "up")


def with_canary(up: dict[str, object]) -> dict[str, dict[str, object]]:
    """What pulumi says of a stack without monitoring, whose canary has half of the sessions."""
    return {
        "stack --show-name": {"out": "dev"},
        "config --json": {"out": json.dumps({"kato:canary": setting(HALF)})},
        "stack output": {"out": "{}"},
        "up": up,
    }


@pytest.fixture
def canary(pulumi: FakePulumi) -> FakePulumi:
    pulumi.says(with_canary({"out": "created [urn=kato] [/sessions]"}))
    return pulumi


def written(pulumi: FakePulumi) -> list[str]:
    return [call for call in pulumi.calls() if call.startswith(WRITES)]


def test_going_back_needs_no_figures(canary, tmp_path, capsys):
    assert main(["rollout", "--back", "--cwd", str(tmp_path)]) == 0

    assert "config set-all --path --plaintext canary.share=0 --stack dev" in written(canary)
    assert written(canary)[-1].startswith("up ")
    # What looks like markup is part of the engine's line.
    assert "created [urn=kato] [/sessions]" in capsys.readouterr().err


def test_a_rollout_without_figures_is_2_and_changes_nothing(canary, tmp_path, capsys):
    assert main(["rollout", "--image", "kato:6.4.0", "--cwd", str(tmp_path)]) == 2

    assert "a rollout needs figures" in capsys.readouterr().err
    assert written(canary) == []


def test_an_image_that_would_get_half_at_once_is_2_also_in_a_dry_run(canary, tmp_path, capsys):
    words = ["rollout", "--image", "kato:6.5.0", "--cwd", str(tmp_path)]
    assert main([*words, "--dry-run"]) == 2
    assert main([*words, "--prometheus", "http://127.0.0.1:9"]) == 2

    assert capsys.readouterr().err.count("50 % of the sessions are with kato:6.4.0") == 2
    assert written(canary) == []


def test_the_plan_is_shown_and_nothing_is_changed(canary, tmp_path, capsys):
    words = ["--steps", "10,50,75", "--hold", "60"]
    assert main(["rollout", "--dry-run", *words, "--cwd", str(tmp_path)]) == 0

    shown = capsys.readouterr().out
    assert shown.splitlines()[1:3] == ["50 % for 60 s", "75 % for 60 s"]
    assert written(canary) == []


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--max-errors", "nan"], "points of errors must be 0 or more"),
        (["--max-latency", "0.5"], "times of the latency must be 1 or more"),
        (["--min-requests", "0"], "requests that a verdict needs must be 1 or more"),
        (["--steps", "50,25"], "the shares must rise"),
    ],
)
@pytest.mark.usefixtures("pulumi")
def test_a_plan_without_sense_is_2_and_asks_nothing(words, rule, tmp_path, capsys):
    assert main(["rollout", *words, "--cwd", str(tmp_path)]) == 2

    assert rule in capsys.readouterr().err
    assert not (tmp_path / "calls").exists()


def test_a_failed_way_back_says_what_serves(pulumi, tmp_path, capsys):
    pulumi.says(with_canary({"out": "error: no room", "code": 255}))
    assert main(["rollout", "--back", "--cwd", str(tmp_path)]) == 1

    told = capsys.readouterr().err
    assert "error: no room" in told
    assert "the canary may still have its share" in told
