"""``up`` and ``down`` as this clone sees them: the machine's node, or a cluster that was given."""

from collections.abc import Sequence
from pathlib import Path

from dev.cluster import given, images, kubeconfig, layout, node
from dev.cluster.exclusive import exclusive
from dev.toolchain import places, steps


def ensure(images_to_load: Sequence[str] = (), *, own_kubeconfig: str | None = None) -> Path:
    """A cluster that answers; returns the kubeconfig. Starts the machine's node if need be.

    A kubeconfig of the user's own (the argument, or ``KATO_LB_KUBECONFIG``) always wins; images
    are then the user's concern. Another clone's node is shared, not started twice.
    """
    theirs = given.wanted(own_kubeconfig)
    if theirs:
        given.use(theirs)
        return layout.KUBECONFIG
    with exclusive():
        if not node.healthy():
            node.start()
        kubeconfig.write(layout.KUBECONFIG, "admin")
        starter = node.owner()
        if starter not in (None, places.ROOT):
            steps.say(f"sharing the cluster that was started from {starter}")
        images.load(images_to_load)
    return layout.KUBECONFIG


def down(*, force: bool = False) -> None:
    """Stop the node that this clone started and remove every trace of it from the machine.

    A user's own cluster is only forgotten. Another clone's node stays, unless that clone is
    gone or ``force`` is given.
    """
    given.forget()
    if node.owner() is None:
        steps.say("no cluster is running")
        return
    with exclusive():
        starter = node.owner()
        if starter is None:
            return
        if starter != places.ROOT and starter.exists() and not force:
            steps.say(f"the cluster was started from {starter} and stays; --force ends it")
            return
        with steps.step("stopping Kubernetes"):
            node.remove()


def load(names: Sequence[str]) -> None:
    """Copy images from Docker into the node."""
    require_own("images can't be copied into it", "let it pull them, or use its own tool for that")
    images.load(names)


def require_own(problem: str, cure: str) -> None:
    """SetupError unless the machine's node runs and is the cluster in use."""
    if given.in_use():
        raise steps.SetupError(f"the cluster in use was given: {problem}", cure)
    if node.owner() is None:
        raise steps.SetupError("no cluster is running", "run 'python3 -m dev.cluster up' first")


def is_own() -> bool:
    """True when the cluster in use is the machine's own node, which pulls no image."""
    return not given.in_use() and layout.KUBECONFIG.exists() and node.owner() is not None
