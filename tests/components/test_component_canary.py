"""A canary in the program's settings: what is made, what selects what, what is refused."""

from typing import Any

import pulumi
import pytest
from k8s_stacks import of_kind
from program import program, run_program, settings_of
from recording import CONTAINER, Recording, attempt

NEXT = "registry.example.com/kato:6.4.0"
CANARY = {"image": NEXT, "share": 5}
BORN = {"mode": "NEW_SESSIONS", "since": 1_800_000_000_000}


def test_on_docker_it_is_a_backend_of_its_own() -> None:
    recording = run_program(canary={**CANARY, "replicas": 2}, draining=["kato-1"])

    found = {name for name in recording.names(CONTAINER) if name.startswith("kato-canary")}
    assert found == {"kato-canary-0", "kato-canary-1"}
    assert recording.one("kato-canary-0").inputs["image"] == NEXT
    assert recording.one("kato-0").inputs["image"] != NEXT
    text = recording.uploaded("nginx.conf")
    assert '"5%" kato_canary;' in text
    assert "server kato-canary-0:8000 weight=64" in text
    assert text.count(" down") == 1


def test_its_replicas_are_as_many_as_the_stable_ones() -> None:
    recording = run_program(canary=CANARY, replicas=4)

    assert len([one for one in recording.names(CONTAINER) if one.startswith("kato-canary")]) == 4


def test_the_steps_of_new_sessions_reach_the_balancer() -> None:
    canary = {**CANARY, **BORN, "earlier": [{"since": 1_790_000_000_000, "share": 1}]}

    text = run_program(canary=canary, proxy="haproxy").uploaded("haproxy.cfg")

    assert "ge 1800000000000" in text
    assert "ge 1790000000000" in text


def test_on_kubernetes_nothing_else_selects_its_pods() -> None:
    recording = run_program(platform="kubernetes", canary=CANARY, proxy="nginx")
    sets = {one["metadata"]["name"]: one for one in of_kind(recording, "StatefulSet")}
    services = {one["metadata"].get("name"): one for one in of_kind(recording, "Service")}

    pods = sets["kato-canary"]["spec"]["template"]
    assert pods["spec"]["containers"][0]["image"] == NEXT
    own, stable = services["kato-canary-replicas"], services["kato-replicas"]
    labels = pods["metadata"]["labels"]
    assert own["spec"]["selector"].items() <= labels.items()
    assert not stable["spec"]["selector"].items() <= labels.items()
    stable_selector = sets["kato"]["spec"]["selector"]["matchLabels"]
    assert not stable_selector.items() <= labels.items()
    policies = {one["metadata"]["name"] for one in of_kind(recording, "NetworkPolicy")}
    assert {"kato-kato", "kato-kato-canary"} <= policies
    files = [one["data"] for one in of_kind(recording, "ConfigMap")]
    [text] = [data["nginx.conf"] for data in files if "nginx.conf" in data]
    assert "server kato-canary-replicas.kato-0123456.svc.cluster.local service=http" in text


@pytest.mark.parametrize("platform", ["docker", "kubernetes"])
@pytest.mark.parametrize(
    ("canary", "setting", "cure"),
    [
        ({"share": 5}, "canary.image", "name KATO's image"),
        ({"image": NEXT}, "canary.share", "0 to 100"),
        ({"image": NEXT, "share": 101}, "canary.share", "100"),
        ({"image": "kato:5.0.1", "share": 5}, "canary.image", "5.0.2"),
        ({"image": "kato", "share": 5}, "canary.image", "tag"),
        ({**CANARY, "replicas": 0}, "canary.replicas", "between 1 and 64"),
        ({**CANARY, "since": 5}, "canary.since", "1000000000000"),
        ({**CANARY, "mode": "NEW_SESSIONS"}, "canary.since", "is needed"),
        ({**CANARY, "shares": 5}, "canary.shares", "not a known setting"),
    ],
)
def test_a_bad_setting_is_named_before_anything_is_created(
    canary: dict[str, Any], setting: str, cure: str, platform: str
) -> None:
    recording = Recording(preview=False)

    with pytest.raises(pulumi.RunError) as caught:
        attempt(program, recording, config=settings_of(platform=platform, canary=canary))

    assert recording.resources == []
    assert f"{setting}: " in str(caught.value)
    assert cure in str(caught.value)


@pytest.mark.parametrize("affinity", ["CLIENT_IP", "COOKIE"])
def test_it_needs_the_stacks_own_balancer_on_kubernetes(affinity: str) -> None:
    recording = Recording(preview=False)
    settings = {"platform": "kubernetes", "affinity": affinity, "canary": CANARY}

    with pytest.raises(pulumi.RunError, match="canary: "):
        attempt(program, recording, config=settings_of(**settings))
