"""A Prometheus in the cluster that has what the operator would give it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from k8s_facts import Facts
from kubernetes import client
from operator_configuration import configuration

from dev.images import catalogue

MONITORS, RULES = "PodMonitor", "PrometheusRule"
MONITORING: dict[str, Any] = {
    "enabled": True,
    "monitors": True,
    "exporterImage": catalogue.KATO_EXPORTER.name,
    "redisExporterImage": catalogue.REDIS_EXPORTER.name,
}
"""The setting of a stack that is watched."""


@contextmanager
def prometheus_for(facts: Facts, home: str, program: str, namespace: str) -> Iterator[str]:
    """A Prometheus in the namespace ``home`` that may look for pods in ``namespace``; its URL."""
    name = f"prometheus-{program}"
    kinds = {"apiVersion": "monitoring.coreos.com/v1"}
    listed = {
        kind: facts.send(
            "GET", f"/apis/{kinds['apiVersion']}/namespaces/{namespace}/{kind.lower()}s"
        ).json()["items"]
        for kind in (MONITORS, RULES)
    }
    groups = [group for one in listed[RULES] for group in one["spec"]["groups"]]
    files = {
        "prometheus.yml": configuration(listed[MONITORS], f"/{name}/rules.json"),
        "rules.json": json.dumps({"groups": groups}),
    }
    facts.core.create_namespaced_config_map(home, {"metadata": {"name": name}, "data": files})
    facts.core.create_namespaced_service_account(home, {"metadata": {"name": name}})
    roles = client.RbacAuthorizationV1Api(facts.api)
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    roles.create_namespaced_role(namespace, {"metadata": {"name": name}, "rules": [rule]})
    roles.create_namespaced_role_binding(
        namespace,
        {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": home}],
        },
    )
    command = [
        "prometheus",
        f"--config.file=/{name}/prometheus.yml",
        "--storage.tsdb.path=/tmp/data",
    ]
    with facts.pod(
        name,
        home,
        catalogue.PROMETHEUS.name,
        command,
        volumes=[{"name": name, "configMap": {"name": name}}],
        serviceAccountName=name,
        automountServiceAccountToken=True,
    ) as address:
        yield f"http://{address}:9090"
