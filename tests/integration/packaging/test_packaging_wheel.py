"""The wheel in an empty environment: its commands, its components, its policy packs."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from conftest import BUILT_FROM
from pulumi_stack import ROOT, must, run
from verdicts import complaints

from dev.free_ports import free_port
from kato_balancing.verify import VerifyOptions, verify

NAMES = {"components": "kato_pulumi", "policies": "kato_policies"}


def holds(url: str) -> None:
    """The running stack keeps every session on one process."""
    report = verify(url, VerifyOptions())
    assert complaints(report.to_dict()) == []


def test_the_wheel_has_every_module(wheel: Path) -> None:
    packs = {pack.parent.relative_to(ROOT) for pack in ROOT.glob("policies/*/PulumiPolicy.yaml")}
    sources = {
        file.relative_to(ROOT)
        for top in BUILT_FROM
        for file in (ROOT / top).rglob("*.py")
        # The packs' folders are started by their path, from a checkout.
        if file.parent.relative_to(ROOT) not in packs
    }
    wanted = {
        "/".join((NAMES.get(source.parts[0], source.parts[0]), *source.parts[1:]))
        for source in sources
    }
    packed = {name for name in ZipFile(wheel).namelist() if name.endswith(".py")}

    assert len(packs) == 4
    assert len(wanted) > 200
    assert packed == wanted


def test_the_command_works_without_a_checkout(installed: Path, tmp_path: Path) -> None:
    rendered = must(
        [
            str(installed / "bin" / "kato-lb"), "render",
            str(ROOT / "examples" / "three-servers.yaml"), "--for", "nginx:1.30",
        ],
        cwd=tmp_path,
    )  # fmt: skip

    assert "hash $kato_session consistent;" in rendered


def test_a_python_project_deploys_with_the_wheel(
    example: Callable[..., Any], installed: Path
) -> None:
    stack = example("python", installed)

    url = stack.deploy(
        katoImage="kato-lb/kato-stand-in:6.3.0",
        redisImage="kato-lb/redis:8.0",
        haproxyImage="kato-lb/haproxy:3.2",
        port=str(free_port()),
    )

    holds(url)


def test_a_balancer_alone_deploys_and_the_packs_judge_it(
    example: Callable[..., Any], installed: Path, tmp_path: Path
) -> None:
    stack = example("own-servers", installed)
    pack = tmp_path / "policies-only"
    pack.mkdir()
    for file in (ROOT / "examples" / "policies-only").iterdir():
        (pack / file.name).write_text(file.read_text())
    stack.pulumi("config", "set", "nginxImage", "kato-lb/nginx:1.30")
    stack.pulumi("config", "set", "port", str(free_port()))

    seen = stack.pulumi("preview", "--policy-pack", str(pack), "--color", "never")
    stack.pulumi("up", "--yes", "--skip-preview")
    url = stack.pulumi("stack", "output", "url").strip()

    assert "kato-load-balancing" in seen
    # The servers of the documentation's network answer nobody; the balancer itself says so.
    answer = run([sys.executable, "-m", "kato_balancing.cli", "verify", url], limit=120)
    assert answer.returncode == 1
    assert "reachab" in answer.stdout + answer.stderr
