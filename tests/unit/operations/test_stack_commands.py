"""A stack driven through the command line: what is asked, what is told, what goes wrong."""

import json
from pathlib import Path

import pytest
from fake_pulumi import FakePulumi

from kato_balancing.cli import main
from kato_balancing.operations.stack import Stack, StackError


@pytest.fixture
def stack(pulumi: FakePulumi, tmp_path: Path) -> Stack:
    del pulumi
    return Stack(tmp_path, "dev")


def silent(text: str) -> None:
    assert text


def test_the_selected_stack_is_found(pulumi, tmp_path):
    assert Stack.select(tmp_path).name == "dev"
    Stack.select(tmp_path, "prod")
    assert pulumi.calls() == ["stack --show-name", "stack --show-name --stack prod"]


def test_a_failing_command_is_told_in_its_words(pulumi, tmp_path):
    pulumi.says({"stack": {"out": "error: no stack selected", "code": 255}})
    with pytest.raises(StackError, match="ended with 255:\nerror: no stack selected"):
        Stack.select(tmp_path)


def test_a_missing_folder_or_command_is_named(tmp_path, monkeypatch):
    with pytest.raises(StackError, match="--cwd"):
        Stack.select(tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match="pulumi is not on PATH"):
        Stack.select(tmp_path)
    with pytest.raises(StackError, match="pulumi is not on PATH"):
        Stack(tmp_path, "dev").up(tell=silent)


def test_settings_are_data_and_secrets_are_not_read(pulumi, stack):
    found = {
        "kato:draining": {"value": '["kato-1"]', "objectValue": ["kato-1"], "secret": False},
        "kato:proxy": {"value": "nginx", "secret": False},
        "kato:redis": {"secret": True},
    }
    pulumi.says({"config --json": {"out": json.dumps(found)}})
    assert stack.setting("draining") == ["kato-1"]
    assert stack.setting("proxy") == "nginx"
    assert stack.setting("absent") is None
    with pytest.raises(StackError, match="secret"):
        stack.setting("redis")


REMOVED = "config rm --path a --stack dev"
WRITTEN = "config set-all --path --plaintext {} --stack dev"


@pytest.mark.parametrize(
    ("value", "calls"),
    [
        (["kato-0", "kato-2"], [REMOVED, WRITTEN.format("a[0]=kato-0 --plaintext a[1]=kato-2")]),
        ({"share": 5, "on": True}, [REMOVED, WRITTEN.format("a.share=5 --plaintext a.on=true")]),
        # Stopped between two calls, the old value would be lost.
        ("nginx", [WRITTEN.format("a=nginx")]),
        (5, [WRITTEN.format("a=5")]),
        (False, [WRITTEN.format("a=false")]),
        (None, [REMOVED]),
        ([], [REMOVED]),
    ],
)
def test_a_setting_is_replaced_as_a_whole(pulumi, stack, value, calls):
    stack.configure({"a": value})
    assert pulumi.calls() == calls


def test_an_update_tells_its_lines(pulumi, stack):
    pulumi.says({"up": {"out": " + one created\n\n + two created"}})
    told: list[str] = []
    stack.up("--target", "urn", tell=told.append)
    assert told == ["+ one created", "+ two created"]
    [call] = pulumi.calls()
    assert call.endswith("--stack dev --target urn")


def test_a_failed_update_shows_the_engines_last_lines(pulumi, stack):
    lines = "\n".join(f"line {number}" for number in range(40))
    pulumi.says({"up": {"out": lines, "code": 1}})
    with pytest.raises(StackError) as failed:
        stack.up(tell=silent)
    assert "line 39" in str(failed.value)
    assert "line 20\n" not in str(failed.value)


def test_an_update_that_takes_too_long_is_interrupted(pulumi, stack):
    pulumi.says({"up": {"out": "waits", "seconds": 50}})
    with pytest.raises(StackError, match=r"not done after 0\.5 s and was stopped"):
        stack.up(tell=silent, limit=0.5)


def test_the_state_is_read_without_what_is_to_be_deleted(pulumi, stack):
    urn = "urn:pulumi:dev::kato::kato:index:KatoBackend$docker:index/container:Container::kato-0"
    item = {"urn": urn, "type": "docker:index/container:Container", "id": "abc"}
    state = {"deployment": {"resources": [item, {**item, "id": "old", "delete": True}]}}
    pulumi.says({"stack export": {"out": json.dumps(state)}})
    [found] = stack.resources()
    assert (found.name, found.id, found.outputs) == ("kato-0", "abc", {})


@pytest.mark.parametrize(
    "words",
    [
        ["replace"],
        ["replace", "kato-0", "--all"],
        ["replace", "--all", "--limit", "0"],
        ["drain"],
        ["drain", "kato-0", "--limit", "soon"],
        ["rollout", "--steps", "few"],
        ["rollout", "--hold", "nan"],
        ["rollout", "--prometheus", "http://[half"],
        ["rollout", "--back", "--promote"],
        ["rollout", "--back", "--dry-run"],
        ["rollout", "--back", "--image", "kato:6.5.0"],
    ],
)
def test_wrong_use_is_2_and_asks_nothing(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["replace", "--all"], ["drain", "kato-0"], ["rollout"]])
def test_a_stack_that_can_not_be_asked_is_1(words, tmp_path, capsys):
    assert main([*words, "--cwd", str(tmp_path / "none")]) == 1
    assert "give the project's with --cwd" in capsys.readouterr().err
