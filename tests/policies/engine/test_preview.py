"""The packs in the real engine: our stacks pass, the guide's do not."""

import json
import subprocess
from pathlib import Path

import pytest
from previews import PROGRAM, ROOT, SETTINGS, manifests, ours, policy_arguments, state

from policies.examples.sound import ON_NGINX
from policies.rule import Pack

GUIDE = (PROGRAM.parent / "guide.yaml").read_text()


COMPLETE = ("complete",)


@pytest.mark.parametrize("packs", [tuple(Pack), COMPLETE], ids=["three", "complete"])
@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_our_stack_passes_without_a_finding(
    tmp_path: Path, stack: str, packs: tuple[str, ...]
) -> None:
    preview = ours(tmp_path / "project", stack).preview(SETTINGS / f"{stack}.json", packs=packs)

    assert preview.exit_code == 0, preview.output
    assert preview.findings == ()
    assert preview.output.count("✅ kato") == len(packs)


def test_the_complete_pack_finds_what_the_three_find(tmp_path: Path) -> None:
    project = manifests(tmp_path / "project", GUIDE)
    three, complete = (
        {(one.policy, one.level, one.resource, one.message) for one in preview.findings}
        for preview in (project.preview(), project.preview(packs=COMPLETE))
    )

    assert len(complete) > 20
    assert complete == three


def test_the_guides_kubernetes_part_and_its_files_fail(tmp_path: Path) -> None:
    preview = manifests(tmp_path / "project", GUIDE).preview()

    assert preview.exit_code != 0
    assert preview.by_level("mandatory") >= {
        "lb-health-active-and-passive",  # /ready never answers
        "hpa-metrics-have-requests",  # the autoscaler can't act
        "hpa-target-valid",  # replicas beside it
        "pdb-covers-workload",
        "lb-graceful-shutdown",  # no preStop, grace too short
        "lb-affinity-not-collapsed",  # ClientIP behind a proxy
        "pod-security-restricted",
        "container-hardening",
        "image-pinned",
        "spread-or-antiaffinity",
        "resources-set",
        "network-isolated",
        "edge-tls-and-config-safe",
    }
    assert preview.by_level("advisory") == {"retired-ingress-controller"}
    assert "'/ready'" in preview.output


@pytest.mark.parametrize(
    ("name", "policies"),
    [
        (
            "nginx-by-session",
            {"lb-affinity-key-stable", "lb-zone-shared", "lb-upstream-keepalive",
             "lb-timeouts-coherent", "lb-circuit-breaker"},
        ),
        (
            "nginx-round-robin",
            {"lb-session-affinity", "lb-no-nonidempotent-retry", "lb-zone-shared"},
        ),
        (
            "haproxy",
            {"lb-session-affinity", "lb-health-active-and-passive", "lb-timeouts-coherent",
             "lb-affinity-cookie-flags"},
        ),
    ],
)  # fmt: skip
def test_each_of_the_guides_files_fails_by_the_balancers_rules(
    guide_findings: dict[str, set[str]], name: str, policies: set[str]
) -> None:
    assert guide_findings[f"{name}-configmap"] >= policies


@pytest.fixture(scope="module")
def guide_findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Policies by the resource that they found something at."""
    preview = manifests(tmp_path_factory.mktemp("guide") / "project", GUIDE).preview()
    found: dict[str, set[str]] = {}
    for one in preview.findings:
        found.setdefault(one.resource, set()).add(one.policy)
    return found


def test_an_unknown_value_is_listed_and_can_fail_the_preview(tmp_path: Path) -> None:
    grace = "terminationGracePeriodSeconds: "
    text = ON_NGINX.replace(f"{grace}60", f"{grace}UNKNOWN")
    strict = tmp_path / "strict.json"
    strict.write_text(json.dumps({"coverage-unverified": "mandatory"}))
    project = manifests(tmp_path / "project", text)

    lenient, failed = project.preview(), project.preview(strict)

    assert (lenient.exit_code, lenient.by_level("advisory")) == (0, {"coverage-unverified"})
    assert failed.exit_code != 0
    assert failed.by_level("mandatory") == {"coverage-unverified"}


def test_a_bad_knob_stops_the_preview_with_its_name(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(
        json.dumps({"replicas-min": {"enforcementLevel": "mandatory", "kato": "three"}})
    )

    preview = manifests(tmp_path / "project", ON_NGINX).preview(settings)

    assert preview.exit_code != 0
    assert "replicas-min" in preview.output
    assert "kato" in preview.output


def test_a_remedy_mends_before_the_resource_is_registered(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"container-hardening": "remediate"}))
    text = ON_NGINX.replace("      automountServiceAccountToken: false\n", "", 1)
    project = manifests(tmp_path / "project", text)

    assert project.preview().by_level("mandatory") == {"container-hardening"}
    mended = project.preview(settings)

    assert mended.exit_code == 0, mended.output
    assert mended.by_level("mandatory") == set()
    assert "automountServiceAccountToken" in mended.output or "remediate" in mended.output


def test_the_state_is_a_second_gate(tmp_path: Path) -> None:
    """`pulumi policy analyze` needs neither the program nor a cluster."""
    file = tmp_path / "state.json"
    for text, passes in ((ON_NGINX, True), (GUIDE, False)):
        file.write_text(json.dumps(state(text)))
        done = subprocess.run(
            ["pulumi", "policy", "analyze", "--file", str(file), *policy_arguments()],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert (done.returncode == 0) is passes, done.stdout + done.stderr
        assert ("hpa-target-valid" in done.stdout) is not passes


def test_the_packs_need_no_file_of_the_project_that_they_judge(tmp_path: Path) -> None:
    assert not (tmp_path / "policies").exists()
    preview = manifests(tmp_path / "project", ON_NGINX).preview()

    assert preview.exit_code == 0
    assert preview.findings == ()
    assert str(ROOT / "policies") in preview.output
