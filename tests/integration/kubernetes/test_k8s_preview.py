"""Previews of the stacks work without any cluster, as a CI that only previews needs it."""

from pathlib import Path

import pytest
import yaml
from pulumi_stack import ROOT, PulumiStack


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_a_preview_needs_no_cluster(name: str, tmp_path: Path) -> None:
    settings = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())["config"]
    stack = PulumiStack(
        tmp_path / name,
        name,
        {key.removeprefix("kato:"): value for key, value in settings.items()},
        {"KUBECONFIG": str(tmp_path / "nothing")},
    )

    done = stack.preview("--json")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"op": "create"') >= 20


def test_bad_settings_are_refused_by_name(tmp_path: Path) -> None:
    stack = PulumiStack(
        tmp_path / "bad",
        "bad",
        {"platform": "kubernetes", "autoscaling": {"minReplicas": 5, "maxReplicas": 4}},
        {"KUBECONFIG": str(tmp_path / "nothing")},
    )

    done = stack.preview()

    assert done.returncode != 0
    assert "autoscaling.maxReplicas: must be above min_replicas, 5" in done.stdout + done.stderr
