"""``kato-lb rollout`` on a real stack: a good canary gets every share, a bad one is taken back."""

import json
from collections.abc import Callable
from typing import Any

import broken_kato
import pytest
from prometheus_api import Prometheus
from pulumi_stack import PulumiStack, must
from rollout_command import rollout

from kato_balancing.verify.load import SteadyLoad

KATO, NEXT_KATO = (f"kato-lb/kato-stand-in:6.3.{number}" for number in range(2))
HOLD_SECONDS = 20


@pytest.fixture(scope="module")
def versions() -> None:
    """The same program under another name, and one that answers 5 % of its requests with 500."""
    must(["docker", "tag", KATO, NEXT_KATO])
    broken_kato.make(KATO)


def _rollout(stack: PulumiStack, *more: str) -> tuple[int, dict[str, Any], str]:
    done = rollout(stack, *more, hold=HOLD_SECONDS)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def test_a_good_canary_becomes_the_stable_version(
    versions: None,  # noqa: ARG001 - asked for what it makes
    watched_stack: Callable[..., tuple[PulumiStack, Prometheus]],
) -> None:
    stack, _ = watched_stack("rollout", replicas=2)
    with SteadyLoad(str(stack.outputs()["url"]), clients=16, think_time=0.05) as load:
        code, seen, said = _rollout(stack, "--image", NEXT_KATO, "--steps", "50,100", "--promote")

    assert code == 0, said
    assert [step["share"] for step in seen["steps"]] == [50, 100]
    assert {step["verdict"] for step in seen["steps"]} == {"holds"}
    assert load.report().failures == ()
    assert (load.lost().lost, load.lost().doubled) == ((), ())
    running = {
        must(["docker", "inspect", "--format", "{{.Config.Image}}", name]).strip()
        for name in stack.containers("kato-")
    }
    assert running == {NEXT_KATO}


def test_a_canary_with_errors_is_taken_back_without_hands(
    versions: None,  # noqa: ARG001 - asked for what it makes
    watched_stack: Callable[..., tuple[PulumiStack, Prometheus]],
) -> None:
    stack, _ = watched_stack("rollback", replicas=2, proxy="haproxy")
    with SteadyLoad(str(stack.outputs()["url"]), clients=16, think_time=0.05):
        code, seen, said = _rollout(stack, "--image", broken_kato.BROKEN_KATO, "--steps", "50,100")

    assert code == 1, said
    [step] = seen["steps"]
    assert (step["share"], step["verdict"]) == (50, "broken")
    assert "points above" in step["why"]
    share = stack.pulumi("config", "get", "--path", "canary.share", "--stack", stack.name)
    assert share.strip() == "0"
