"""Pulumi projects in folders of their own, so that a bench leaves nothing in the repository."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dev.toolchain import places

_FOLDER = Path(__file__).resolve().parent
_PRODUCT = ("__main__.py", "stack_settings", "components", "kato_balancing", "Pulumi.yaml")
_LIMIT_SECONDS = 300


@dataclass(frozen=True)
class Project:
    """A project folder with one stack."""

    folder: Path
    settings: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for the CLI, besides those of this process."""

    def init(self) -> None:
        """Make the stack and its settings."""
        self.pulumi("stack", "init", "bench")
        for key, value in self.settings.items():
            self.pulumi("config", "set", "--stack", "bench", key, value)

    def timed(self, *arguments: str) -> float:
        """Seconds that one CLI call takes; raises when it fails."""
        started = time.monotonic()
        self.pulumi(*arguments, "--stack", "bench")
        return time.monotonic() - started

    def pulumi(self, *arguments: str) -> None:
        """Run the CLI with a state of its own."""
        subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env={
                **os.environ,
                "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": "",
                **self.environment,
            },
            check=True,
            capture_output=True,
            timeout=_LIMIT_SECONDS,
        )


def product(folder: Path, port: int) -> Project:
    """This repository's own program with the local images."""
    _prepare(folder)
    for entry in _PRODUCT:
        (folder / entry).symlink_to(places.ROOT / entry)
    return Project(
        folder,
        {
            "port": str(port),
            "katoImage": "kato-lb/kato-stand-in:6.3.0",
            "redisImage": "kato-lb/redis:8.0",
            "nginxImage": "kato-lb/nginx:1.30",
        },
    )


def flat(folder: Path, port: int) -> Project:
    """The same containers declared by hand."""
    _prepare(folder)
    for file in (_FOLDER / "flat").iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    return Project(folder, {"port": str(port)})


def empty(folder: Path) -> Project:
    """A program without resources."""
    _prepare(folder)
    for file in (_FOLDER / "empty").iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    return Project(folder, {})


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "state").mkdir()
    (folder / "venv").symlink_to(places.VENV)
