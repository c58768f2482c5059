"""A stack on Kubernetes that is one region of several: what its balancers may reach."""

from typing import Any

from k8s_stacks import of_kind, stack

OTHERS = {"us": "https://us.kato.example.com", "asia": "http://asia.kato.example.com:8080"}


def _egress(answer: str) -> list[dict[str, Any]]:
    rules = {"region": {"name": "eu", "others": OTHERS, "answer": answer}}
    policies = {
        one["metadata"]["name"]: one["spec"]
        for one in of_kind(stack({"rules": rules}), "NetworkPolicy")
    }
    return list(policies["kato-balancer"]["egress"])


def test_a_balancer_that_asks_other_regions_reaches_them() -> None:
    _, onward = _egress("PROXY")

    assert "to" not in onward
    assert [(one["port"], one["protocol"]) for one in onward["ports"]] == [
        (443, "TCP"),
        (8080, "TCP"),
    ]


def test_one_that_redirects_reaches_its_replicas_only() -> None:
    [own] = _egress("REDIRECT")

    assert own["to"]
