"""KatoDataStores: what it creates, what it gives out, and what stays secret."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from recording import CONTAINER, NETWORK, VOLUME, Recording, run

from components import KatoDataStores

SCHEMA = "CREATE TABLE kato.patterns_data (x Int8) ENGINE = Memory;"


def _stores(args: dict[str, Any], *, preview: bool = False) -> Recording:
    return run(lambda: KatoDataStores("stores", args), preview=preview)


def _environment(recording: Recording) -> dict[str, Any]:
    return dict(recording.outputs_of("stores")["environment"])


def test_a_managed_redis_keeps_every_session() -> None:
    redis = _stores({}).one("stores-redis")

    settings = redis.files["/etc/kato/redis.conf"].splitlines()
    assert {"appendonly yes", "maxmemory-policy noeviction", "maxmemory 1024mb"} <= set(settings)
    assert redis.inputs["image"] == "redis:8.0"
    assert redis.inputs["command"] == ["redis-server", "/etc/kato/redis.conf"]
    assert redis.inputs["volumes"] == [
        {"containerPath": "/data", "volumeName": "stores-redis-data-0123456"}
    ]
    assert redis.inputs["healthcheck"]["tests"][0] == "CMD-SHELL"
    assert (redis.inputs["stopTimeout"], redis.inputs["destroyGraceSeconds"]) == (20, 20)
    assert redis.inputs["restart"] == "unless-stopped"


def test_stores_are_on_a_network_of_their_own_and_never_published() -> None:
    recording = _stores({"clickhouse": {"schema": SCHEMA}, "qdrant": {}})

    assert recording.names(NETWORK) == ["stores-network"]
    assert len(recording.of(CONTAINER)) == 3
    for container in recording.of(CONTAINER):
        assert "ports" not in container.inputs
        assert container.inputs["networksAdvanced"] == [
            {"name": "stores-network-0123456", "aliases": [container.name]}
        ]
    assert recording.outputs_of("stores")["network"] == "stores-network-0123456"


def test_every_store_is_a_child_with_a_volume() -> None:
    recording = _stores({"clickhouse": {"schema": SCHEMA}, "qdrant": {}})
    component = recording.one("stores", "kato:index:KatoDataStores")

    children = [resource for resource in recording.resources if resource is not component]
    assert len(children) == 7
    assert {child.parent for child in children} == {component.urn}
    assert sorted(recording.names(VOLUME)) == [
        "stores-clickhouse-data",
        "stores-qdrant-data",
        "stores-redis-data",
    ]


def test_katos_variables_name_every_store() -> None:
    recording = _stores({"clickhouse": {"schema": SCHEMA}, "qdrant": {}})

    assert _environment(recording) == {
        "REDIS_URL": "redis://stores-redis:6379",
        "CLICKHOUSE_HOST": "stores-clickhouse",
        "CLICKHOUSE_PORT": "8123",
        "CLICKHOUSE_DB": "kato",
        "CLICKHOUSE_USER": "default",
        "QDRANT_HOST": "stores-qdrant",
        "QDRANT_PORT": "6333",
    }
    assert not recording.is_secret_output("stores", "environment")


def test_the_schema_is_applied_to_a_new_clickhouse() -> None:
    clickhouse = _stores({"clickhouse": {"schema": SCHEMA}}).one("stores-clickhouse")

    assert clickhouse.files == {"/docker-entrypoint-initdb.d/kato.sql": SCHEMA}
    assert clickhouse.environment["CLICKHOUSE_DB"] == "kato"


def test_existing_stores_are_passed_on_and_nothing_is_created() -> None:
    recording = _stores(
        {
            "redis": {"url": "rediss://redis.example:6380"},
            "clickhouse": {"host": "ch.example", "port": 8443.0, "user": "kato"},
            "qdrant": {"host": "q.example"},
            "network": "mine",
        }
    )

    assert [resource.type for resource in recording.resources] == ["kato:index:KatoDataStores"]
    assert recording.outputs_of("stores")["network"] == "mine"
    assert _environment(recording) == {
        "REDIS_URL": "rediss://redis.example:6380",
        "CLICKHOUSE_HOST": "ch.example",
        "CLICKHOUSE_PORT": "8443",
        "CLICKHOUSE_DB": "kato",
        "CLICKHOUSE_USER": "kato",
        "QDRANT_HOST": "q.example",
        "QDRANT_PORT": "6333",
    }


def test_a_password_is_secret_wherever_it_appears() -> None:
    recording = _stores({"redis": {"password": "hunter-2"}})
    redis = recording.one("stores-redis")

    assert _environment(recording)["REDIS_URL"] == "redis://:hunter-2@stores-redis:6379"
    assert recording.is_secret_output("stores", "environment")
    assert "requirepass hunter-2" in redis.files["/etc/kato/redis.conf"].splitlines()
    assert any(path.startswith("uploads") for path in redis.secrets)
    assert redis.environment == {"REDISCLI_AUTH": "hunter-2"}
    assert any(path.startswith("envs") for path in redis.secrets)


@pytest.mark.parametrize(
    ("store", "args", "variable"),
    [
        (
            "stores-clickhouse",
            {"clickhouse": {"schema": SCHEMA, "password": "p"}},
            "CLICKHOUSE_PASSWORD",
        ),
        ("stores-qdrant", {"qdrant": {"api_key": "p"}}, "QDRANT__SERVICE__API_KEY"),
    ],
)
def test_the_other_stores_passwords_are_secret_too(
    store: str, args: dict[str, Any], variable: str
) -> None:
    recording = _stores(args)
    container = recording.one(store)

    assert container.environment[variable] == "p"
    assert any(path.startswith("envs") for path in container.secrets)
    assert recording.is_secret_output("stores", "environment")


def test_a_secret_url_stays_secret() -> None:
    recording = run(
        lambda: KatoDataStores(
            "stores", {"redis": {"url": pulumi.Output.secret("redis://:p@r:6379")}}
        )
    )

    assert _environment(recording)["REDIS_URL"] == "redis://:p@r:6379"
    assert recording.is_secret_output("stores", "environment")


def test_two_instances_live_side_by_side() -> None:
    def program() -> None:
        KatoDataStores("one", {"qdrant": {}})
        KatoDataStores("two", {"qdrant": {}})

    recording = run(program)

    urns = [resource.urn for resource in recording.resources]
    assert len(urns) == 12
    assert len(set(urns)) == len(urns)


def test_a_preview_knows_the_variables_before_anything_runs() -> None:
    recording = _stores({}, preview=True)

    assert _environment(recording) == {"REDIS_URL": "redis://stores-redis:6379"}


def test_a_number_from_another_language_is_a_whole_one() -> None:
    redis = _stores({"redis": {"memory_megabytes": 64.0}}).one("stores-redis")

    assert "maxmemory 64mb" in redis.files["/etc/kato/redis.conf"].splitlines()


@pytest.mark.parametrize(
    ("args", "path", "cure"),
    [
        ({"redis": {"url": "redis://r", "image": "redis:8.0"}}, "redis.image", "remove it"),
        ({"redis": {"url": "redis://r", "password": "x"}}, "redis.password", "remove it"),
        (
            {"redis": {"url": "redis://r", "memory_megabytes": 64}},
            "redis.memory_megabytes",
            "remove it",
        ),
        ({"redis": {"url": "r:6379"}}, "redis.url", "redis://"),
        ({"redis": {"memory_megabytes": 31}}, "redis.memory_megabytes", "at least 32"),
        ({"redis": {"memory_megabytes": "64"}}, "redis.memory_megabytes", "whole number"),
        ({"redis": {"memory_megabytes": True}}, "redis.memory_megabytes", "whole number"),
        ({"redis": {"memory_megabytes": 64.5}}, "redis.memory_megabytes", "whole number"),
        ({"redis": {"password": "a b"}}, "redis.password", "letters, digits and hyphens"),
        ({"redis": {"password": "a@b"}}, "redis.password", "letters, digits and hyphens"),
        ({"redis": {"password": ""}}, "redis.password", "letters, digits and hyphens"),
        ({"redis": {"password": "pässword"}}, "redis.password", "letters, digits and hyphens"),
        ({"redis": {"image": "redis"}}, "redis.image", "no fixed tag"),
        ({"redis": {"image": "Redis:8"}}, "redis.image", "lower case"),
        ({"redis": {"memory_megabyte": 64}}, "redis.memory_megabyte", "not a known setting"),
        ({"clickhouse": {}}, "clickhouse.schema", "KATO never creates its tables"),
        ({"clickhouse": {"schema": "x", "image": "ch:latest"}}, "clickhouse.image", "no fixed tag"),
        ({"clickhouse": {"host": "h", "schema": "x"}}, "clickhouse.schema", "remove"),
        ({"clickhouse": {"host": "h", "image": "ch:1.0"}}, "clickhouse.image", "remove"),
        ({"clickhouse": {"host": "h", "port": "http"}}, "clickhouse.port", "whole number"),
        ({"clickhouse": {"host": "h", "port": 70000}}, "clickhouse.port", "65535"),
        ({"qdrant": {"image": "qdrant/qdrant"}}, "qdrant.image", "no fixed tag"),
        ({"qdrant": {"host": "h", "image": "q:1.0"}}, "qdrant.image", "remove"),
        ({"qdrant": {"host": "h", "port": 0}}, "qdrant.port", "at least 1"),
        ({"clickhose": {"host": "h"}}, "clickhose", "not a known setting"),
    ],
)
def test_a_bad_input_is_named_before_anything_is_created(
    args: dict[str, Any], path: str, cure: str, refusal_of: Callable[..., list[tuple[str, str]]]
) -> None:
    [(found, reason)] = refusal_of(lambda: KatoDataStores("stores", args))

    assert found == path
    assert cure in reason


@pytest.mark.parametrize(
    "args",
    [
        {"redis": {"password": "54321 54321"}},
        {"redis": {"password": 54321}},
        {"redis": {"url": 54321}},
        {"qdrant": {"api_key": 54321}},
        {"clickhouse": {"host": "ch", "password": 54321}},
    ],
)
def test_a_secret_is_not_shown_when_it_is_refused(
    args: dict[str, Any], refusal_of: Callable[..., list[tuple[str, str]]]
) -> None:
    [(_, reason)] = refusal_of(lambda: KatoDataStores("stores", args))

    assert "54321" not in reason
