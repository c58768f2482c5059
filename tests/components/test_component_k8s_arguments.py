"""KatoK8sStack's inputs are stated twice: as types for every language, and as a model."""

import re
from typing import Any

import pytest
from described import fields
from pydantic import BaseModel

from components import kato_k8s_stack
from components.kubernetes import (
    autoscaling,
    exposure,
    monitoring,
    network_policies,
    resources,
    stores,
)

GROUPS: dict[str, tuple[Any, type[BaseModel]]] = {
    "KatoK8sStackArgs": (kato_k8s_stack, kato_k8s_stack._Inputs),
    "BalancerPods": (kato_k8s_stack, kato_k8s_stack._BalancerPods),
    "ClusterDns": (kato_k8s_stack, kato_k8s_stack._Dns),
    "ClusterMonitoring": (monitoring, monitoring.MonitoringInputs),
    "Autoscaling": (autoscaling, autoscaling.AutoscalingInputs),
    "PodsMetric": (autoscaling, autoscaling._Metric),
    "ClusterExposure": (exposure, exposure.ExposureInputs),
    "NetworkSettings": (network_policies, network_policies.NetworkInputs),
    "ContainerResources": (resources, resources.Resources),
    "ClusterRedis": (stores, stores._Redis),
    "ClusterClickHouse": (stores, stores._ClickHouse),
    "ClusterQdrant": (stores, stores._Qdrant),
}
DERIVED = {
    ("KatoK8sStackArgs", "replicas"): 3,
    ("KatoK8sStackArgs", "resources"): 0.5,
    ("ClusterExposure", "port"): 80,
    ("ClusterRedis", "resources"): 0.1,
    ("ClusterClickHouse", "resources"): 0.5,
    ("ClusterQdrant", "resources"): 0.25,
    ("BalancerPods", "resources"): 0.1,
}
"""Defaults that follow from other inputs: what the usual stack gets."""


def _models_name(name: str) -> str:
    return f"{name}_" if name == "schema" else name


@pytest.mark.parametrize("group", GROUPS)
def test_both_have_the_same_fields(group: str) -> None:
    module, described = GROUPS[group]

    assert {_models_name(name) for name in fields(module, group)} == set(described.model_fields)


@pytest.mark.parametrize("group", GROUPS)
def test_both_require_the_same_fields(group: str) -> None:
    module, described = GROUPS[group]
    required = {name for name, field in described.model_fields.items() if field.is_required()}

    assert getattr(module, group).__required_keys__ == required


def test_a_stated_number_is_the_models_default() -> None:
    stated = {}
    for group, (module, described) in GROUPS.items():
        for name, text in fields(module, group).items():
            found = re.search(r"Defaults to (\d+(?:\.\d+)?)\b", text)
            if found:
                default = described.model_fields[_models_name(name)].default
                stated[group, name] = float(found[1]), DERIVED.get((group, name), default)

    assert len(stated) >= 20
    assert {key: pair for key, pair in stated.items() if pair[0] != pair[1]} == {}


def test_every_field_says_what_it_is() -> None:
    silent = [
        f"{group}.{name}"
        for group, (module, _) in GROUPS.items()
        for name, text in fields(module, group).items()
        if not text
    ]

    assert silent == []
