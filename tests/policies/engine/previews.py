"""Runs the real `pulumi preview` with the packs and reads the findings from its event log."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.examples import reading
from policies.rule import Pack

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).parent / "manifests_program"
SETTINGS = ROOT / "policies" / "env"


@dataclass(frozen=True)
class Finding:
    """A policy's finding as the engine tells it."""

    pack: str
    policy: str
    level: str
    resource: str
    message: str


@dataclass(frozen=True)
class Preview:
    """What the engine said."""

    exit_code: int
    findings: tuple[Finding, ...]
    output: str

    def by_level(self, level: str) -> set[str]:
        """The policies that found something at this level."""
        return {one.policy for one in self.findings if one.level == level}


@dataclass(frozen=True)
class Project:
    """A copy of a project with a stack in a backend of its own."""

    folder: Path
    stack: str
    environment: Mapping[str, str]

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the CLI in the project's folder."""
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            # The event log is one of the commands for debugging.
            env={**os.environ, "PULUMI_DEBUG_COMMANDS": "true", **self.environment},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def preview(
        self, settings: Path | None = None, *arguments: str, packs: Sequence[str] = tuple(Pack)
    ) -> Preview:
        """Preview with packs, each with these settings."""
        log = self.folder / "events.json"
        log.unlink(missing_ok=True)
        done = self.pulumi(
            "preview", "--stack", self.stack, "--event-log", str(log),
            *policy_arguments(settings, packs), *arguments,
        )  # fmt: skip
        return Preview(done.returncode, _findings(log), done.stdout + done.stderr)


def policy_arguments(settings: Path | None = None, packs: Sequence[str] = tuple(Pack)) -> list[str]:
    """What turns the packs on, from any folder."""
    found: list[str] = []
    for pack in packs:
        found += ["--policy-pack", str(ROOT / "policies" / pack)]
        if settings is not None:
            found += ["--policy-pack-config", str(settings)]
    return found


def manifests(folder: Path, text: str) -> Project:
    """The program that registers the documents of a text."""
    shutil.copytree(PROGRAM, folder)
    file = folder / "manifests.yaml"
    file.write_text(text)
    return _initialised(Project(folder, "test", {"MANIFESTS": str(file), **_backend(folder)}))


def ours(folder: Path, stack: str) -> Project:
    """This project's own program with the settings of a stack."""
    folder.mkdir()
    for name in ("components", "kato_balancing", "stack_settings"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("__main__.py", "Pulumi.yaml", f"Pulumi.{stack}.yaml"):
        shutil.copy(ROOT / name, folder)
    (folder / "venv").symlink_to(ROOT / "venv")
    return _initialised(Project(folder, stack, _backend(folder)))


def _backend(folder: Path) -> dict[str, str]:
    backend = folder / "backend"
    backend.mkdir(exist_ok=True)
    return {"PULUMI_BACKEND_URL": f"file://{backend}", "PULUMI_CONFIG_PASSPHRASE": "test"}


def _initialised(project: Project) -> Project:
    done = project.pulumi("stack", "init", project.stack)
    assert done.returncode == 0, done.stderr
    return project


def _findings(log: Path) -> tuple[Finding, ...]:
    events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return tuple(
        Finding(
            event["policyPackName"],
            event["policyName"],
            event["enforcementLevel"],
            event.get("resourceUrn", "").rsplit("::", 1)[-1],
            event["message"],
        )
        for event in (one["policyEvent"] for one in events if "policyEvent" in one)
    )


def state(text: str) -> dict[str, Any]:
    """What `pulumi stack export` would write once the documents of a text are deployed."""
    stack = "urn:pulumi:test::p::pulumi:pulumi:Stack::p-test"
    listed: list[dict[str, Any]] = [{"urn": stack, "type": "pulumi:pulumi:Stack", "custom": False}]
    for one in reading.resources(text):
        urn = f"urn:pulumi:test::p::{one.type}::{one.name}"
        listed.append(
            {
                "urn": urn,
                "type": one.type,
                "custom": True,
                "id": one.name,
                "parent": stack,
                "inputs": one.data,
                "outputs": {**one.data, "status": {}},
            }
        )
    return {"version": 3, "deployment": {"manifest": {}, "resources": listed}}
