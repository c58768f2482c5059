"""The autoscaler on a real cluster: out under load, in again, without a lost request."""

from collections.abc import Callable

from k8s_facts import Facts, wait_for
from pulumi_stack import PulumiStack

from kato_balancing.verify.load import SteadyLoad

OUT_LIMIT_SECONDS = 180
IN_LIMIT_SECONDS = 240


def test_replicas_follow_the_load_and_no_request_is_lost(
    new_stack: Callable[..., PulumiStack], facts: Facts
) -> None:
    stack = new_stack(
        "scaled",
        autoscaling={"minReplicas": 2, "maxReplicas": 3, "cpuPercent": 70, "scaleInSeconds": 15},
    )
    stack.up()
    namespace = stack.outputs()["namespace"]
    cluster, url = facts.cluster(namespace), facts.url(namespace)
    wait_for(lambda: cluster.replicas() == 2, 60, "the autoscaler's minimum")
    cluster.wait_settled()
    assert stack.preview("--expect-no-changes").returncode == 0

    with SteadyLoad(url, clients=4, think_time=0.2) as steady:
        with SteadyLoad(url, clients=32) as rush:
            wait_for(lambda: cluster.replicas() == 3, OUT_LIMIT_SECONDS, "a scale-out")
            # The autoscaler's number is its own: a deployment leaves it alone.
            assert stack.preview("--expect-no-changes").returncode == 0
            cluster.wait_settled()
        wait_for(lambda: cluster.replicas() == 2, IN_LIMIT_SECONDS, "the scale-in")
        cluster.wait_settled()

    scaler = facts.autoscaling.read_namespaced_horizontal_pod_autoscaler("kato", namespace)
    [metric] = scaler.status.current_metrics
    assert metric.resource.name == "cpu"
    for load in (rush, steady):
        assert load.report().failures == ()
        assert (load.lost().lost, load.lost().doubled) == ((), ())
