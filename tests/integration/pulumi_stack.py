"""A stack of this repository's program, driven by the real Pulumi CLI in a folder of its own."""

import json
import os
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (
    "__main__.py",
    "stack_settings",
    "components",
    "kato_balancing",
    "Pulumi.yaml",
    "venv",
)
LIMIT_SECONDS = 300


class CommandError(AssertionError):
    """A command of the test ended with another exit code than it should."""


def run(
    argv: list[str], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None, limit: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; the caller looks at the exit code."""
    return subprocess.run(
        argv,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )


def must(argv: list[str], **options: Any) -> str:
    """Run a command that has to succeed; returns what it printed."""
    done = run(argv, **options)
    if done.returncode != 0:
        raise CommandError(
            f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


@dataclass
class PulumiStack:
    """One stack. Settings are written to its file; nothing of it is in the repository's folder.

    The name gets an ending of its own: a run that was killed leaves containers and namespaces
    behind, and the next run must not take them for its own.
    """

    folder: Path
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    """More variables for the CLI."""

    def __post_init__(self) -> None:
        self.name = f"{self.name}-{secrets.token_hex(2)}"
        self.folder.mkdir(parents=True, exist_ok=True)
        for entry in PROGRAM:
            (self.folder / entry).symlink_to(ROOT / entry)
        (self.folder / "state").mkdir()
        self._write()
        self.pulumi("stack", "init", self.name)

    def use_program(self, text: str) -> None:
        """Run this program instead of the repository's, with its rule for names."""
        project = self.folder / "Pulumi.yaml"
        naming = yaml.safe_load(project.read_text())["config"]["pulumi:autonaming"]
        for name, content in (
            ("__main__.py", text),
            ("Pulumi.yaml", yaml.safe_dump({
                "name": "kato",
                "runtime": {"name": "python", "options": {"virtualenv": "venv"}},
                "config": {"pulumi:autonaming": naming},
            })),
        ):  # fmt: skip
            (self.folder / name).unlink()
            (self.folder / name).write_text(content)

    def configure(self, **settings: Any) -> None:
        """Change settings; None takes one out."""
        self.settings.update(settings)
        self.settings = {key: value for key, value in self.settings.items() if value is not None}
        self._write()

    def configure_secret(self, path: str, value: str) -> None:
        """Set a setting that is kept encrypted, for example ``redis.password``."""
        key = f"kato:{path}"
        self.pulumi("config", "set", "--stack", self.name, "--secret", "--path", key, value)
        written = yaml.safe_load((self.folder / f"Pulumi.{self.name}.yaml").read_text())
        self.settings = {
            name.removeprefix("kato:"): setting for name, setting in written["config"].items()
        }

    def up(self) -> str:
        """Deploy; returns the engine's output."""
        return self.pulumi("up", "--yes", "--skip-preview", "--stack", self.name)

    def preview(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Preview; the caller looks at the exit code."""
        return self._run("preview", "--stack", self.name, *options)

    def refresh(self) -> str:
        """Read the real resources into the state."""
        return self.pulumi("refresh", "--yes", "--stack", self.name)

    def destroy(self) -> str:
        """Remove everything, volumes too."""
        return self.pulumi("destroy", "--yes", "--skip-preview", "--stack", self.name)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        found: dict[str, Any] = json.loads(
            self.pulumi("stack", "output", "--json", "--stack", self.name)
        )
        return found

    def pulumi(self, *arguments: str) -> str:
        """Run the CLI; raises CommandError with its output when it fails."""
        done = self._run(*arguments)
        if done.returncode != 0:
            raise CommandError(f"pulumi {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def containers(self, part: str = "") -> list[str]:
        """Names of the running containers whose name has ``part`` after the stack's prefix."""
        prefix = f"kato-{self.name}-{part}"
        listing = must(["docker", "ps", "--filter", f"name=^{prefix}", "--format", "{{.Names}}"])
        return sorted(listing.split())

    def container(self, part: str) -> str:
        """The one running container of that part."""
        found = self.containers(part)
        assert len(found) == 1, f"{len(found)} containers for {part}: {found}"
        return found[0]

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "",
            **self.environment,
        }
        argv = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        return run(argv, cwd=self.folder, env=env, limit=LIMIT_SECONDS)

    def _write(self) -> None:
        file = self.folder / f"Pulumi.{self.name}.yaml"
        before = yaml.safe_load(file.read_text()) if file.exists() else {}
        before["config"] = {f"kato:{key}": value for key, value in self.settings.items()}
        file.write_text(yaml.safe_dump(before))
