"""What the Prometheus operator makes of a PodMonitor, for a Prometheus of the tests' own.

Of the operator's translation here is what decides which targets are found and what they are called;
the service discovery itself is Prometheus' own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

SECONDS = 2
"""Between two scrapes: the objects say 15, for which a test would have to wait."""

_POD = "__meta_kubernetes_pod"


def configuration(monitors: Sequence[Mapping[str, Any]], rule_file: str) -> str:
    """``prometheus.yml`` for these PodMonitors, of one namespace each."""
    jobs = [
        _job(monitor, index, endpoint)
        for monitor in monitors
        for index, endpoint in enumerate(monitor["spec"]["podMetricsEndpoints"])
    ]
    every = f"{SECONDS}s"
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": every, "evaluation_interval": every},
            "rule_files": [rule_file],
            "scrape_configs": jobs,
        }
    )


def _job(monitor: Mapping[str, Any], index: int, endpoint: Mapping[str, Any]) -> dict[str, Any]:
    name, namespace = monitor["metadata"]["name"], monitor["metadata"]["namespace"]
    return {
        "job_name": f"podMonitor/{namespace}/{name}/{index}",
        "metrics_path": endpoint["path"],
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [namespace]}}],
        "relabel_configs": [*_chosen(monitor, endpoint), *_named(monitor, endpoint)],
    }


def _chosen(monitor: Mapping[str, Any], endpoint: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"source_labels": [f"{_POD}_phase"], "regex": "(Failed|Succeeded)", "action": "drop"}
    for key, value in monitor["spec"]["selector"]["matchLabels"].items():
        label = re.sub(r"[^a-zA-Z0-9_]", "_", key)
        yield {
            "source_labels": [f"{_POD}_label_{label}", f"{_POD}_labelpresent_{label}"],
            "regex": f"({re.escape(value)});true",
            "action": "keep",
        }
    yield {
        "source_labels": [f"{_POD}_container_port_name"],
        "regex": endpoint["port"],
        "action": "keep",
    }


def _named(monitor: Mapping[str, Any], endpoint: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"}
    yield {"source_labels": [f"{_POD}_container_name"], "target_label": "container"}
    yield {"source_labels": [f"{_POD}_name"], "target_label": "pod"}
    metadata = monitor["metadata"]
    yield {
        "target_label": "job",
        "replacement": f"{metadata['namespace']}/{metadata['name']}",
    }
    yield {"target_label": "endpoint", "replacement": endpoint["port"]}
    for rule in endpoint.get("relabelings", []):
        yield {re.sub(r"[A-Z]", lambda m: f"_{m[0].lower()}", key): rule[key] for key in rule}
