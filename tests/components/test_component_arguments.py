"""The components' inputs agree with the model: same names, same defaults, every one described."""

import ast
import inspect
import json
import re
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from described import fields
from pulumi.provider.experimental.component import ComponentProvider
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from recording import CONTAINER, run

from components import (
    HaproxyBalancer,
    KatoBackend,
    KatoDataStores,
    KatoK8sStack,
    KatoMonitoring,
    NginxBalancer,
    balancer_inputs,
    balancer_programs,
    balancing_args,
    data_stores,
    kato_backend,
    kato_k8s_stack,
    kato_monitoring,
    log_exporter,
    process_args,
    redis_exporter,
    store_inputs,
    tls_args,
)
from components.kubernetes import autoscaling, exposure, monitoring, network_policies, resources
from components.kubernetes import stores as kubernetes_stores
from kato_balancing import invariants, model, regions

GROUPS: dict[str, tuple[Any, type[BaseModel]]] = {
    "BalancedServer": (balancing_args, model.Server),
    "PassiveHealthSettings": (balancing_args, model.PassiveHealth),
    "ActiveHealthSettings": (balancing_args, model.ActiveHealth),
    "HealthSettings": (balancing_args, model.Health),
    "LearnedSettings": (balancing_args, model.LearnedSessions),
    "CookieSettings": (balancing_args, model.Cookie),
    "ListenerSettings": (balancing_args, model.Listener),
    "LimitSettings": (balancing_args, model.Limits),
    "KeepAliveSettings": (balancing_args, model.KeepAlive),
    "TimeoutSettings": (balancing_args, model.Timeouts),
    "RetrySettings": (balancing_args, model.Retry),
    "DrainSettings": (balancing_args, model.Drain),
    "RegionSettings": (balancing_args, regions.Region),
    "BalancerRules": (balancing_args, model.Balancer),
    "KatoProcessSettings": (process_args, model.KatoProcess),
}
COMPONENTS: list[Any] = [
    KatoDataStores,
    KatoBackend,
    NginxBalancer,
    HaproxyBalancer,
    KatoK8sStack,
    KatoMonitoring,
]
MODULES = (
    balancer_inputs,
    balancing_args,
    data_stores,
    kato_backend,
    process_args,
    redis_exporter,
    tls_args,
    kato_k8s_stack,
    kato_monitoring,
    autoscaling,
    exposure,
    monitoring,
    network_policies,
    resources,
    kubernetes_stores,
)


def _described() -> Iterator[tuple[str, str, str, FieldInfo]]:
    for group, (module, described) in GROUPS.items():
        for name, text in fields(module, group).items():
            yield group, name, text, described.model_fields[name]


def _schema() -> dict[str, Any]:
    return dict(json.loads(ComponentProvider(COMPONENTS, "kato").schema or ""))


DERIVED = {
    ("DrainSettings", "keep_alive"): model.Drain().keep_clients,
    ("KeepAliveSettings", "connections"): invariants.idle_per_process(
        model.Balancer.of({"pool": {"servers": [{"name": "kato-0", "host": "kato-0"}]}})
    ),
}
"""Defaults that depend on other settings: what the usual ones give."""


def _default(group: str, name: str, field: FieldInfo) -> Any:
    return DERIVED.get((group, name), getattr(field.default, "value", field.default))


def test_every_group_of_settings_is_compared_with_the_model() -> None:
    written = {
        node.name
        for module in (balancing_args, process_args)
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef)
    }

    assert written == set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_every_setting_is_one_of_the_models(group: str) -> None:
    module, described = GROUPS[group]
    names = set(fields(module, group))

    assert names
    assert names <= set(described.model_fields)


@pytest.mark.parametrize(
    "group", sorted(set(GROUPS) - {"BalancerRules", "HealthSettings", "ListenerSettings"})
)
def test_every_setting_of_the_model_can_be_given(group: str) -> None:
    module, described = GROUPS[group]

    assert set(fields(module, group)) == set(described.model_fields)


@pytest.mark.parametrize("group", GROUPS)
def test_what_the_model_requires_is_required_and_nothing_else(group: str) -> None:
    module, described = GROUPS[group]
    required = getattr(module, group).__required_keys__
    found = set(fields(module, group))

    assert required == {name for name in found if described.model_fields[name].is_required()}


def test_a_stated_number_is_the_models_default() -> None:
    stated = {
        (group, name): (float(found[1]), float(_default(group, name, field)))
        for group, name, text, field in _described()
        if (found := re.search(r"Defaults to (\d+(?:\.\d+)?)\b", text))
    }

    assert len(stated) >= 25
    assert {key: pair for key, pair in stated.items() if pair[0] != pair[1]} == {}


def test_a_stated_word_is_the_models_default() -> None:
    stated = {
        (group, name): (found[1], str(_default(group, name, field)).lower())
        for group, name, text, field in _described()
        if (found := re.search(r"Defaults to (true|false|SESSION|ROUND_ROBIN)\b", text))
    }

    assert len(stated) == 6
    assert {key: pair for key, pair in stated.items() if pair[0].lower() != pair[1]} == {}


def test_every_default_of_the_model_is_stated() -> None:
    silent = [
        f"{group}.{name}"
        for group, name, text, field in _described()
        if not field.is_required()
        and not isinstance(field.default, BaseModel)
        and "Defaults to" not in text
    ]

    assert silent == []


@pytest.mark.parametrize(
    ("module", "group", "field", "value"),
    [
        (data_stores, "RedisStore", "image", store_inputs.REDIS_IMAGE),
        (data_stores, "ClickHouseStore", "image", store_inputs.CLICKHOUSE_IMAGE),
        (data_stores, "QdrantStore", "image", store_inputs.QDRANT_IMAGE),
        (balancer_inputs, "BalancerArgs", "image", balancer_programs.NGINX.image),
        (
            balancer_inputs,
            "BalancerArgs",
            "image",
            f"{balancer_programs.NGINX.image} and {balancer_programs.HAPROXY.image}",
        ),
        (balancer_inputs, "Publication", "port", "8080"),
        (balancer_inputs, "Publication", "address", "127.0.0.1"),
        (kato_backend, "KatoBackendArgs", "replicas", "3"),
        (kato_monitoring, "WatchedRedis", "image", redis_exporter.IMAGE),
        (
            kato_monitoring,
            "KatoMonitoringArgs",
            "prometheus_image",
            kato_monitoring.PROMETHEUS_IMAGE,
        ),
        (
            kato_monitoring,
            "KatoMonitoringArgs",
            "exporter_image",
            log_exporter.IMAGE,
        ),
        (monitoring, "ClusterMonitoring", "exporter_image", log_exporter.IMAGE),
        (kato_monitoring, "KatoMonitoringArgs", "retention_days", "15"),
        (kato_monitoring, "PrometheusPublication", "port", "9090"),
    ],
)
def test_the_components_own_defaults_are_stated(
    module: Any, group: str, field: str, value: str
) -> None:
    assert f"Defaults to {value}" in fields(module, group)[field]


def _args_name(token: str) -> str:
    """The type of a component's inputs; both balancers have the same."""
    name = token.rsplit(":", maxsplit=1)[-1]
    return "BalancerArgs" if name.endswith("Balancer") else f"{name}Args"


def test_the_schema_describes_every_input_and_output() -> None:
    schema = _schema()

    assert set(schema["resources"]) == {
        f"kato:index:{component.__name__}" for component in COMPONENTS
    }
    silent = [
        f"{token}.{name}"
        for token, resource in schema["resources"].items()
        for part in ("inputProperties", "properties")
        for name, described in resource[part].items()
        if not described.get("description")
    ]
    silent += [
        f"{token}.{name}"
        for token, type_ in schema["types"].items()
        for name, described in type_["properties"].items()
        if not described.get("description")
    ]
    assert silent == []


def test_the_schema_has_every_input_that_is_written() -> None:
    schema = _schema()
    written = {
        (kind.__name__, name)
        for module in MODULES
        for kind in vars(module).values()
        if typing.is_typeddict(kind)
        for name in kind.__annotations__
    }
    known = {token.split(":")[-1]: type_["properties"] for token, type_ in schema["types"].items()}
    known |= {
        _args_name(token): resource["inputProperties"]
        for token, resource in schema["resources"].items()
    }

    camel = {
        (kind, re.sub(r"_([a-z])", lambda found: found[1].upper(), name)) for kind, name in written
    }
    assert len(camel) > 60
    assert {(kind, name) for kind, names in known.items() for name in names} == camel


@pytest.mark.parametrize(
    ("component", "required"),
    [("KatoDataStores", []), ("KatoBackend", ["image", "stores"]), ("NginxBalancer", ["servers"])],
)
def test_few_inputs_are_required(component: str, required: list[str]) -> None:
    schema = _schema()

    assert sorted(schema["resources"][f"kato:index:{component}"]["requiredInputs"]) == required


def test_the_required_inputs_alone_make_a_stack() -> None:
    def program() -> None:
        stores = KatoDataStores("stores", {})
        backend = KatoBackend(
            "kato",
            {
                "image": "kato:6.3.0",
                "stores": {"environment": stores.environment, "network": stores.network},
            },
        )
        NginxBalancer("lb", {"servers": backend.servers, "network": stores.network})

    recording = run(program)

    assert {"stores-redis", "kato-0", "kato-1", "kato-2", "lb"} <= set(recording.names(CONTAINER))
    assert "server kato-4:8000" in recording.uploaded("nginx.conf")
