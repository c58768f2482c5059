"""What the README promises, typed into a fresh clone as a newcomer would."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi_stack import ROOT, must

from dev.free_ports import free_port

LIMIT_SECONDS = 600


@pytest.fixture(scope="module")
def port() -> str:
    return str(free_port())


@pytest.fixture(scope="module")
def clone(tools: None, tmp_path_factory: pytest.TempPathFactory, port: str) -> Iterator[Path]:  # noqa: ARG001
    folder = tmp_path_factory.mktemp("clone") / "kato"
    must(["git", "clone", "--quiet", str(ROOT), str(folder)])
    settings = folder / "Pulumi.dev.yaml"
    settings.write_text(settings.read_text() + f"  kato:port: {port}\n")
    yield folder
    type_in(folder, "make down VOLUMES=1")


def type_in(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a shell that knows nothing of this repository's own tools."""
    path = [p for p in os.environ["PATH"].split(":") if not p.startswith(str(ROOT))]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "VIRTUAL_ENV"))}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**env, "PATH": ":".join(path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def typed(folder: Path, command: str) -> str:
    done = type_in(folder, command)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def readme_commands(heading: str, port: str) -> list[str]:
    """The lines after `$` in the heading's first console block, with the test's own port."""
    text = (ROOT / "README.md").read_text()
    block = re.search(rf"^## {heading}\n.*?```console\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert block, heading
    lines = re.findall(r"^\$ (.*?)(?:\s{2,}#.*)?$", block[1], re.MULTILINE)
    return [line.replace("8080", port) for line in lines]


def containers(port: str) -> str:
    return must(["docker", "ps", "--quiet", "--filter", f"publish={port}"])


def test_the_quick_start_runs_as_it_is_written(clone: Path, port: str) -> None:
    up, *middle, down = readme_commands("Quick start", port)
    assert (up, down) == ("make up", "make down")
    output = typed(clone, up)
    assert f"URL:  http://127.0.0.1:{port}" in output
    assert "the KATO stand-in" in output
    for command in middle:
        typed(clone, command)
    before = containers(port)
    assert "unchanged" in typed(clone, up)
    assert containers(port) == before
    typed(clone, ". .state/env && pulumi preview --expect-no-changes --stack dev")


def test_the_proof_fails_as_the_readme_says(clone: Path) -> None:
    typed(clone, "make up")
    typed(clone, ". .state/env && pulumi config set affinity NONE && pulumi up --yes")
    done = type_in(clone, "make verify")
    assert done.returncode != 0
    assert "observations lost" in done.stdout
    typed(clone, ". .state/env && pulumi config rm affinity")


def test_down_leaves_the_data_only(clone: Path) -> None:
    typed(clone, "make up")
    network = typed(clone, ". .state/env && pulumi stack export").split(
        '"name": "kato-dev-stores-network'
    )[1]
    name = "kato-dev-stores-network" + network.split('"')[0]
    typed(clone, "make down")
    assert must(["docker", "ps", "-aq", "--filter", f"network={name}"]) == ""
    assert must(["docker", "network", "ls", "-q", "--filter", f"name={name}"]) == ""
    kept = volumes_of(clone)
    assert len(kept) == 1
    assert must(["docker", "volume", "ls", "-q", "--filter", f"name={kept[0]}"]).split() == kept
    typed(clone, "make down VOLUMES=1")
    assert must(["docker", "volume", "ls", "-q", "--filter", f"name={kept[0]}"]) == ""


def volumes_of(clone: Path) -> list[str]:
    """The volumes that the stack's state still holds."""
    exported = typed(clone, ". .state/env && pulumi stack export --stack dev")
    return re.findall(r'"mountpoint": "[^"]*/volumes/([^/"]+)/', exported)


def test_the_tools_run_as_the_readme_shows_them(clone: Path, port: str) -> None:
    typed(clone, "make setup")
    commands = readme_commands("Tools without a stack", port)
    assert [command.split()[1] for command in commands] == ["render", "place", "lint"]
    for command in commands:
        assert typed(clone, command)
