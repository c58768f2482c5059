"""Two stacks side by side, and a stack that is taken down."""

from collections.abc import Callable

import httpx
from pulumi_stack import PulumiStack, must


def test_two_stacks_share_a_machine(new_stack: Callable[..., PulumiStack]) -> None:
    first, second = new_stack("left", replicas=1), new_stack("right", replicas=1)
    for stack in (first, second):
        stack.up()
    urls = [stack.outputs()["url"] for stack in (first, second)]
    assert len(set(urls)) == 2
    session = httpx.post(f"{urls[0]}/sessions", json={"node_id": "n"}, timeout=30).json()
    path = f"/sessions/{session['session_id']}"
    assert httpx.get(urls[0] + path).status_code == 200
    assert httpx.get(urls[1] + path).status_code == 404
    second.destroy()
    assert second.containers() == []
    assert httpx.get(f"{urls[0]}/health").status_code == 200
    leftovers = must(["docker", "network", "ls", "--filter", f"name=kato-{second.name}", "-q"])
    assert leftovers == ""
