"""Rolling replacement and drain on a real cluster, under load: no client notices."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from k8s_facts import Facts
from pulumi_stack import ROOT, PulumiStack, run
from steady_load import steady_load

from kato_balancing.verify.disruption.cluster import KATO

NAMES = ["kato-0", "kato-1", "kato-2"]


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., PulumiStack]) -> PulumiStack:
    made = new_stack("replaced", replicas=3)
    made.up()
    return made


def kato_lb(stack: PulumiStack, *words: str, code: int = 0) -> dict[str, Any]:
    """Run the command on the stack; its report."""
    done = run(
        [sys.executable, "-m", "kato_balancing.cli", *words, "--cwd", str(stack.folder),
         "--stack", stack.name, "--json"],
        cwd=ROOT,
        env={
            "PULUMI_BACKEND_URL": (stack.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "",
            **stack.environment,
        },
        limit=500,
    )  # fmt: skip
    assert done.returncode == code, f"{words} ended with {done.returncode}:\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return found


@pytest.mark.parametrize(
    ("words", "replaced"),
    [(("replace", "--all"), NAMES), (("drain", "kato-1"), ["kato-1"])],
)
def test_replicas_are_replaced_and_no_request_fails(
    stack: PulumiStack, facts: Facts, words: tuple[str, ...], replaced: list[str]
) -> None:
    namespace = str(stack.outputs()["namespace"])
    cluster = facts.cluster(namespace)
    before = {pod.name: pod.uid for pod in cluster.serving(KATO)}
    with steady_load(facts.url(namespace)) as load:
        load.mark(" ".join(words))
        report = kato_lb(stack, *words)
    seen, lost = load.report(), load.lost()
    print(f"{words}: {seen.requests} requests, {seen.failed} failed; {report}")
    after = {pod.name: pod.uid for pod in cluster.serving(KATO)}

    assert seen.failures == ()
    assert (lost.lost, lost.doubled) == ((), ())
    assert sorted(one["replica"] for one in report["replicas"]) == replaced
    assert sorted(name for name in before if before[name] != after[name]) == replaced
    assert stack.preview("--expect-no-changes").returncode == 0


def test_undo_is_refused_since_nothing_is_kept_drained(stack: PulumiStack) -> None:
    kato_lb(stack, "drain", "kato-1", "--undo", code=1)
