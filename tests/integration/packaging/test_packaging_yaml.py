"""The components in other languages: their schema, and a stack in YAML."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from pulumi_stack import ROOT, must
from test_packaging_wheel import holds

import components
from dev.free_ports import free_port

FOLDER = ROOT / "components"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """What the engine gets when it asks the plugin."""
    return dict(json.loads(must(["pulumi", "package", "get-schema", str(FOLDER)])))


def test_the_schema_names_every_component(schema: dict[str, Any]) -> None:
    known = {name for name in components.__all__ if not name.endswith("Args")}

    assert schema["name"] == "kato"
    assert set(schema["resources"]) == {f"kato:index:{name}" for name in known}
    assert len(known) >= 8


def _undescribed(schema: dict[str, Any]) -> Iterator[str]:
    groups = ("inputProperties", "properties")
    for kind in ("resources", "types"):
        for token, described in schema[kind].items():
            if not described.get("description"):
                yield token
            for group in groups:
                for name, one in described.get(group, {}).items():
                    if not one.get("description"):
                        yield f"{token} {group} {name}"


def test_every_input_and_output_is_described(schema: dict[str, Any]) -> None:
    inputs = [name for one in schema["resources"].values() for name in one["inputProperties"]]

    assert len(inputs) > 50
    assert list(_undescribed(schema)) == []


def test_a_stack_in_yaml_goes_up_keeps_sessions_whole_and_goes(
    example: Callable[..., Any],
) -> None:
    stack = example("yaml")
    file = stack.folder / "Pulumi.yaml"
    program = yaml.safe_load(file.read_text())
    assert (ROOT / "examples" / "yaml" / program["packages"]["kato"]).resolve() == FOLDER
    program["packages"]["kato"] = str(FOLDER)
    file.write_text(yaml.safe_dump(program))

    url = stack.deploy(
        katoImage="kato-lb/kato-stand-in:6.3.0",
        redisImage="kato-lb/redis:8.0",
        nginxImage="kato-lb/nginx:1.30",
        port=str(free_port()),
    )

    holds(url)
