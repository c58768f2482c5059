"""Redis' figures in a cluster: an exporter in pods of its own, so that its troubles are not Redis'.

There are two of it, as of everything that serves; both say the same.
"""

import pulumi
import pulumi_kubernetes as k8s

from .. import redis_exporter
from .labels import Labels
from .pods import Probes, Program, deployment, disruption_budget, metadata, probe
from .resources import Resources

TIER = "redis-exporter"
PORT_NAME = "metrics"

_REPLICAS = 2
_RESOURCES = Resources().or_else(cpu=0.02, memory_megabytes=32)
_GRACE_SECONDS = 10
_SETTLED_SECONDS = 0


def exporter_tier(
    name: str,
    *,
    image: str,
    url: pulumi.Input[str],
    labels: Labels,
    namespace: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> None:
    """Declare the exporter's replicas for the Redis at ``url``, which is kept secret."""
    login = k8s.core.v1.Secret(
        f"{name}-login",
        metadata=metadata(labels, TIER, namespace),
        immutable=True,
        string_data={redis_exporter.URL_VARIABLE: pulumi.Output.secret(url)},
        opts=child,
    )
    health = (redis_exporter.HEALTH_PATH, PORT_NAME)
    program = Program(
        tier=TIER,
        image=image,
        resources=_RESOURCES,
        ports={PORT_NAME: redis_exporter.PORT},
        probes=Probes(
            startup=probe(get=health, period=1, timeout=1, failures=60),
            readiness=probe(get=health, period=5, timeout=2, failures=3),
            liveness=probe(port=PORT_NAME, period=10, timeout=5, failures=3),
        ),
        grace_seconds=_GRACE_SECONDS,
        secret_environment=login.metadata.apply(lambda made: str(made.name)),
        revision_label="pod-template-hash",
    )
    disruption_budget(name, labels, TIER, namespace, child)
    deployment(
        name,
        labels,
        program,
        namespace=namespace,
        replicas=_REPLICAS,
        settled_seconds=_SETTLED_SECONDS,
        opts=child,
    )
