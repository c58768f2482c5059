"""The program with the settings of Pulumi.yaml and Pulumi.dev.yaml, without an engine."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from program import ROOT, program, run_program, settings_of
from recording import CONTAINER, Recording, attempt

from kato_balancing import kato

PASSWORD = "hunter-2"


def _warnings(recording: Recording) -> list[str]:
    return [line for line in recording.logs if line.startswith("WARNING")]


def test_every_setting_of_the_dev_stack_is_declared() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    used = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]

    assert used
    assert {key.removeprefix("kato:") for key in used} <= set(declared)
    assert not [key for key, entry in declared.items() if not (":" in key or entry["description"])]


@pytest.mark.parametrize("preview", [False, True])
def test_the_defaults_are_three_replicas_behind_a_balancer(preview: bool) -> None:
    recording = run_program(preview=preview)

    assert sorted(recording.names(CONTAINER)) == [
        "balancer",
        "balancer-configuration",
        "kato-0",
        "kato-1",
        "kato-2",
        "stores-redis",
    ]
    assert preview or recording.exports["url"] == "http://127.0.0.1:8080"
    assert recording.exports["runs"] == f"KATO {kato.IMAGE}"
    assert [server["name"] for server in recording.exports["servers"]] == [
        f"kato-{index}" for index in range(5)
    ]


def test_the_parts_are_on_one_network() -> None:
    recording = run_program()

    networks = {
        container.inputs["networksAdvanced"][0]["name"]
        for container in recording.of(CONTAINER)
        if container.name != "balancer-configuration"
    }
    assert networks == {"stores-network-0123456"}
    assert recording.one("kato-0").environment["REDIS_URL"] == "redis://stores-redis:6379"
    text = recording.uploaded("nginx.conf")
    assert "resolver 127.0.0.11" in text
    assert text.count(":8000 weight=64") == 5


def test_the_dev_stack_says_that_it_runs_a_stand_in() -> None:
    recording = run_program(stack="dev", katoImage="kato-lb/kato-stand-in:6.3.0")

    [warning] = _warnings(recording)
    assert "not KATO" in warning
    assert "learns and predicts nothing" in warning
    assert recording.exports["runs"].startswith("the KATO stand-in (kato-lb/kato-stand-in:6.3.0)")
    assert "X-Kato-Server" in recording.uploaded("nginx.conf")


def test_kato_without_a_pattern_store_is_warned_about() -> None:
    [warning] = _warnings(run_program())

    assert "can't observe or predict" in warning
    assert "schemaFile" in warning


def test_with_a_pattern_store_there_is_no_warning(tmp_path: Path) -> None:
    schema = tmp_path / "init.sql"
    schema.write_text("CREATE TABLE t (x Int8) ENGINE = Memory;")

    existing = run_program(clickhouse={"host": "ch.example"}, qdrant={"host": "q.example"})
    managed = run_program(clickhouse={"schemaFile": str(schema)}, qdrant={"managed": True})

    assert _warnings(existing) == _warnings(managed) == []
    assert existing.one("kato-0").environment["CLICKHOUSE_HOST"] == "ch.example"
    assert "stores-qdrant" in managed.names(CONTAINER)
    assert managed.one("stores-clickhouse").files == {
        "/docker-entrypoint-initdb.d/kato.sql": schema.read_text()
    }


def test_settings_in_camel_case_reach_the_parts() -> None:
    recording = run_program(
        replicas=2,
        maxReplicas=2,
        port=9000,
        address="0.0.0.0",
        affinity="NONE",
        balancing="LEAST_CONNECTIONS",
        stopSeconds=60,
        process={"connectionLimit": 600},
        balancer={"keepAlive": {"idle": 3}, "timeouts": {"clientIdle": 30}, "accessLog": False},
        environment={"LOG_LEVEL": "DEBUG", "DEBUG": True},
        redis={"memoryMegabytes": 64},
    )
    text = recording.uploaded("nginx.conf")
    replica = recording.one("kato-1")

    assert recording.exports["url"] == "http://127.0.0.1:9000"
    assert text.count("server kato-") == 2
    for line in ("least_conn;", "keepalive_timeout 3s;", "keepalive_timeout 30s;"):
        assert line in text
    assert "log_format" not in text
    assert replica.inputs["stopTimeout"] == 60
    assert replica.environment["KATO_LIMIT_CONCURRENCY"] == "600"
    assert (replica.environment["LOG_LEVEL"], replica.environment["DEBUG"]) == ("DEBUG", "true")
    assert "maxmemory 64mb" in recording.one("stores-redis").files["/etc/kato/redis.conf"]


def test_an_existing_redis_is_used() -> None:
    recording = run_program(redis={"url": "redis://redis.example:6379"})

    assert "stores-redis" not in recording.names(CONTAINER)
    assert recording.one("kato-0").environment["REDIS_URL"] == "redis://redis.example:6379"


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("redis", {"redis": {"url": f"redis://:{PASSWORD}@redis.example:6379"}}),
        ("redis", {"redis": {"password": PASSWORD}}),
        ("clickhouse", {"clickhouse": {"host": "ch", "password": PASSWORD}}),
        ("environment", {"environment": {"MY_TOKEN": PASSWORD}}),
    ],
)
def test_a_secret_setting_is_secret_everywhere(key: str, settings: dict[str, Any]) -> None:
    recording = run_program(secret_keys=[f"kato:{key}"], **settings)

    holding = [
        (container.name, part)
        for container in recording.of(CONTAINER)
        for part in ("envs", "uploads")
        if PASSWORD in json.dumps(container.inputs.get(part, ""))
    ]
    shown = [
        (name, part)
        for name, part in holding
        if not any(path.startswith(part) for path in recording.one(name).secrets)
    ]
    assert holding
    assert shown == []
    assert PASSWORD not in "\n".join(recording.logs)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"balancer": {"keepAlive": {"idle": 5}}}, "balancer.keepAlive.idle"),
        ({"balancer": {"limits": {"requests": 378}}}, "balancer.limits.requests"),
        ({"balancer": {"revealServer": True}}, "balancer.revealServer"),
        ({"balancer": ["revealServers"]}, "balancer"),
        ({"affinity": "sticky"}, "affinity"),
        ({"affinity": "COOKIE", "nginxImage": "nginx:1.28.0"}, "affinity"),
        ({"proxy": "traefik"}, "proxy"),
        ({"proxy": "haproxy", "haproxyImage": "haproxy:2.4"}, "haproxyImage"),
        ({"process": {"workers": 2}}, "process.workers"),
        ({"process": {"sessionTtl": 1}}, "process.sessionTtl"),
        ({"replicas": 0}, "replicas"),
        ({"replicas": 6}, "maxReplicas"),
        ({"stopSeconds": 34}, "stopSeconds"),
        ({"port": 70000}, "port"),
        ({"katoImage": "kato:5.0.1"}, "katoImage"),
        ({"katoImage": "kato:latest"}, "katoImage"),
        ({"nginxImage": "nginx"}, "nginxImage"),
        ({"nginxImage": "nginx:stable"}, "nginxImage"),
        ({"nginxImage": "nginx:1.22"}, "nginxImage"),
        ({"redisImage": "redis"}, "redisImage"),
        ({"redis": {"image": "redis"}}, "redis.image"),
        ({"redis": {"url": "redis://r", "memoryMegabytes": 64}}, "redis.memoryMegabytes"),
        ({"redis": {"memoryMegabyte": 64}}, "redis.memoryMegabyte"),
        ({"clickhouse": {"user": "kato"}}, "clickhouse.schemaFile"),
        ({"clickhouse": {"schemaFile": "/nowhere/init.sql"}}, "clickhouse.schemaFile"),
        ({"qdrant": {"mannaged": True}}, "qdrant.mannaged"),
        ({"environment": {"KATO_WORKERS": 2}}, "environment.KATO_WORKERS"),
        ({"environment": {"LOG_LEVEL": "info"}}, "environment.LOG_LEVEL"),
        ({"environment": ["LOG_LEVEL=INFO"]}, "environment"),
        ({"replica": 4}, "replica"),
    ],
)
def test_a_bad_setting_is_named_as_it_is_written_before_anything_is_registered(
    settings: dict[str, Any], name: str
) -> None:
    assert {line.split(": ")[0] for line in _refused(**settings)} == {name}


def test_every_bad_setting_is_reported_at_once() -> None:
    lines = _refused(replicas=0, affinity="sticky", redis={"url": "r:1"}, process={"sessionTtl": 1})

    assert {line.split(": ")[0] for line in lines} == {
        "replicas",
        "affinity",
        "redis.url",
        "process.sessionTtl",
    }
    assert len(lines) == 4


def test_a_misspelt_setting_is_answered_with_its_name() -> None:
    [line] = _refused(replica=4)

    assert "did you mean replicas?" in line


def _refused(**settings: Any) -> list[str]:
    """The lines of the refusal, a setting each; fails when anything was registered."""
    recording = Recording(preview=False)
    with pytest.raises(pulumi.RunError) as caught:
        attempt(program, recording, config=settings_of(**settings))
    assert recording.resources == []
    return str(caught.value).splitlines()[1:]
