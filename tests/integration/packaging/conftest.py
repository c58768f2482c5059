"""The wheel and the component package as somebody else's project uses them."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pulumi_stack import ROOT, must, run

IMAGES = {
    "katoImage": "kato-lb/kato-stand-in:6.3.0",
    "redisImage": "kato-lb/redis:8.0",
    "nginxImage": "kato-lb/nginx:1.30",
    "haproxyImage": "kato-lb/haproxy:3.2",
}
BUILT_FROM = ("components", "kato_balancing", "policies")
INSTALL_LIMIT_SECONDS = 400
LIMIT_SECONDS = 200


@dataclass(frozen=True)
class Example:
    """A folder of examples/, copied, with a stack and a state of its own."""

    folder: Path
    environment: dict[str, str]

    def pulumi(self, *arguments: str) -> str:
        """Run the CLI; returns its output, fails when it does."""
        return must(
            ["pulumi", *arguments, "--stack", "test", "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            limit=LIMIT_SECONDS,
        )

    def deploy(self, **settings: str) -> str:
        """Set the settings, deploy; the URL."""
        for key, value in settings.items():
            self.pulumi("config", "set", "--path", key, value)
        self.pulumi("up", "--yes", "--skip-preview")
        return self.pulumi("stack", "output", "url").strip()


@pytest.fixture(scope="session")
def tools() -> None:
    """The CLI, the engine and the images; 'make test' brings them."""
    assert shutil.which("pulumi"), "pulumi is not on PATH: run 'make test', or '. .state/env' first"
    must([sys.executable, "-m", "dev.images", "build", *IMAGES.values()], limit=900)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build leaves folders behind."""
    source = tmp_path_factory.mktemp("source")
    for name in BUILT_FROM:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    built = source / "dist"
    must(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(built), str(source)],
        limit=INSTALL_LIMIT_SECONDS,
    )
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel and what it asks for, nothing else."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    must([sys.executable, "-m", "venv", str(venv)], limit=60)
    constraints = str(ROOT / "constraints.txt")
    must(
        [str(venv / "bin" / "pip"), "install", "--quiet", "-c", constraints, f"{wheel}[policies]"],
        limit=INSTALL_LIMIT_SECONDS,
    )
    return venv


@pytest.fixture
def example(
    tools: None,  # noqa: ARG001 - asked for what it makes sure of
    tmp_path: Path,
) -> Iterator[Callable[..., Example]]:
    """Makes a stack from a folder of examples/; destroyed at the end."""
    made: list[Example] = []

    def make(name: str, venv: Path | None = None) -> Example:
        folder = tmp_path / "somewhere" / name
        shutil.copytree(ROOT / "examples" / name, folder)
        (tmp_path / "state").mkdir()
        if venv is not None:
            (folder / "venv").symlink_to(venv)
        environment = {
            "PULUMI_BACKEND_URL": (tmp_path / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PYTHONPATH": "",
            "PATH": os.environ["PATH"] if venv is None else f"{venv}/bin:{os.environ['PATH']}",
        }
        stack = Example(folder, environment)
        must(["pulumi", "stack", "init", "test"], cwd=folder, env=environment)
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.pulumi("destroy", "--yes", "--skip-preview")
        left = run(
            ["pulumi", "stack", "--stack", "test", "--show-urns"],
            cwd=stack.folder,
            env=stack.environment,
        )
        assert "docker:index" not in left.stdout, left.stdout
