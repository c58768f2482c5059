"""Definitions of the kinds that other projects' operators read and this one writes, for tests."""

from pathlib import Path
from typing import Any

import yaml

from dev.cluster import recipes

Definition = dict[str, Any]
"""A CustomResourceDefinition, as the API server takes it."""

_GSLB = Path(__file__).with_name("k8gb.io_gslbs.yaml")


def definitions() -> dict[str, Definition]:
    """Kind → its definition, fetched first where it is not there."""
    operator = recipes.prometheus_operator()
    files = [
        operator / "monitoring.coreos.com_podmonitors.yaml",
        operator / "monitoring.coreos.com_prometheusrules.yaml",
        recipes.external_dns() / "dnsendpoints.externaldns.k8s.io.yaml",
        _GSLB,
    ]
    found: list[Definition] = [yaml.safe_load(file.read_text()) for file in files]
    return {one["spec"]["names"]["kind"]: one for one in found}
