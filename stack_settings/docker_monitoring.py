"""The setting ``monitoring``: Prometheus beside a stack on Docker."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components import KatoMonitoringArgs, kato_monitoring
from kato_balancing.problems import InvalidInput, Problem

from . import reading
from .reading import camel_case, problems_of

SETTING = "monitoring"

_INPUTS = {
    "port": "publish.port",
    "address": "publish.address",
    "retention_days": "retention_days",
    "exporter_image": "exporter_image",
    "prometheus_image": "prometheus_image",
    "redis_exporter_image": "redis.image",
}
"""Name in the group → KatoMonitoring's input."""


def read(config: pulumi.Config) -> dict[str, Any] | None:
    """KatoMonitoring's inputs as the group states them; None when it is off. Raises InvalidInput
    for what the group does not have."""
    group = reading.switched_group(config, SETTING)
    if group is None:
        return None
    rule = f"is not a known setting; use enabled, {', '.join(map(camel_case, _INPUTS))}"
    problems = [
        Problem(f"{SETTING}.{camel_case(name)}", rule) for name in group if name not in _INPUTS
    ]
    if problems:
        raise InvalidInput(problems)
    found: dict[str, Any] = {"redis": {}, "publish": {}}
    for name, value in group.items():
        outer, _, inner = _INPUTS[name].partition(".")
        if inner:
            found[outer][inner] = value
        else:
            found[outer] = value
    return found


def problems(arguments: KatoMonitoringArgs) -> list[Problem]:
    """What KatoMonitoring refuses, by the setting that it comes from."""
    return problems_of(lambda: kato_monitoring.check(arguments), _setting)


def images(arguments: KatoMonitoringArgs) -> Mapping[str, str]:
    """Setting → image that runs."""
    inputs = kato_monitoring.check(arguments)
    found = {"exporterImage": inputs.exporter_image, "prometheusImage": inputs.prometheus_image}
    if inputs.redis is not None:
        found["redisExporterImage"] = inputs.redis.image
    return {f"{SETTING}.{name}": image for name, image in found.items()}


def _setting(path: str) -> str:
    for name, input_ in _INPUTS.items():
        if path == input_:
            return f"{SETTING}.{camel_case(name)}"
    return reading.rule_setting(path)
