"""KatoBackend: the replicas, one after another, and what is refused before the first."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from recording import CONTAINER, Recording, run, unknown

from components import KatoBackend
from kato_balancing import kato

BASE: dict[str, Any] = {
    "image": kato.IMAGE,
    "stores": {"environment": {"REDIS_URL": "redis://redis:6379"}, "network": "net"},
}


def _backend(*, preview: bool = False, **args: Any) -> Recording:
    return run(lambda: KatoBackend("kato", {**BASE, **args}), preview=preview)


@pytest.mark.parametrize("count", [1, 3, 64])
def test_there_are_as_many_replicas_as_asked_for(count: int) -> None:
    recording = _backend(replicas=count)

    assert recording.names(CONTAINER) == [f"kato-{index}" for index in range(count)]


def test_three_replicas_run_and_five_are_listed_by_default() -> None:
    recording = _backend()

    assert recording.names(CONTAINER) == ["kato-0", "kato-1", "kato-2"]
    assert recording.outputs_of("kato")["servers"] == [
        {"name": f"kato-{index}", "host": f"kato-{index}", "port": 8000, "draining": False}
        for index in range(5)
    ]


@pytest.mark.parametrize(("replicas", "listed"), [(1, 5), (3, 5), (4, 6), (10, 12)])
def test_two_more_than_run_are_listed_ahead(replicas: int, listed: int) -> None:
    servers = _backend(replicas=replicas).outputs_of("kato")["servers"]

    assert len(servers) == listed


def test_a_replica_is_replaced_only_when_the_one_before_is_there() -> None:
    recording = _backend()
    first, second, third = recording.of(CONTAINER)

    assert first.depends_on == ()
    assert first.urn in second.depends_on
    assert second.urn in third.depends_on
    assert all(replica.request.deleteBeforeReplace for replica in (first, second, third))


def test_every_replica_is_a_child() -> None:
    recording = _backend()
    component = recording.one("kato", "kato:index:KatoBackend")

    assert {replica.parent for replica in recording.of(CONTAINER)} == {component.urn}


def test_a_replica_has_one_worker_and_knows_its_stores() -> None:
    environment = _backend(process={"session_ttl": 120.0}).one("kato-1").environment

    assert environment == {
        "REDIS_URL": "redis://redis:6379",
        "REDIS_ENABLED": "true",
        "KATO_WORKERS": "1",
        "KATO_LIMIT_CONCURRENCY": "500",
        "SESSION_TTL": "120",
        "SERVICE_NAME": "kato",
        "FORWARDED_ALLOW_IPS": "127.0.0.1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",
        "ENVIRONMENT": "production",
    }


def test_a_replica_is_reached_from_its_network_only_and_can_do_little() -> None:
    inputs = _backend().one("kato-0").inputs

    assert "ports" not in inputs
    assert inputs["networksAdvanced"] == [{"name": "net", "aliases": ["kato-0"]}]
    assert inputs["readOnly"] is True
    assert inputs["tmpfs"] == {"/tmp": ""}
    assert inputs["capabilities"] == {"drops": ["ALL"]}
    assert inputs["securityOpts"] == ["no-new-privileges:true"]


@pytest.mark.parametrize(
    ("args", "seconds"),
    [
        ({}, 45),
        ({"stop_seconds": 35}, 35),
        ({"stop_seconds": 90.0}, 90),
        ({"process": {"graceful_shutdown": 60}}, 75),
        ({"process": {"graceful_shutdown": 30.5}, "stop_seconds": 35.6}, 36),
    ],
)
def test_a_replica_gets_its_time_at_a_stop_and_at_a_removal(
    args: dict[str, Any], seconds: int
) -> None:
    inputs = _backend(**args).one("kato-0").inputs

    assert (inputs["stopTimeout"], inputs["destroyGraceSeconds"]) == (seconds, seconds)


def test_a_replica_is_asked_for_its_health_with_the_images_own_python() -> None:
    check = _backend().one("kato-0").inputs["healthcheck"]["tests"]

    assert check[:3] == ["CMD", "python", "-c"]
    assert "'127.0.0.1',8000" in check[3]
    assert "'GET','/health'" in check[3]
    compile(check[3], "health check", "exec")


def test_a_changed_health_check_replaces_the_container() -> None:
    request = _backend().one("kato-0").request

    assert "healthcheck" in request.replaceOnChanges


def test_a_secret_variable_stays_secret() -> None:
    def program() -> None:
        KatoBackend("kato", {**BASE, "environment": {"MY_TOKEN": pulumi.Output.secret("s")}})

    recording = run(program)
    replica = recording.one("kato-0")

    assert replica.environment["MY_TOKEN"] == "s"
    assert any(path.startswith("envs") for path in replica.secrets)


def test_the_stores_secret_stays_secret() -> None:
    def program() -> None:
        variables = pulumi.Output.secret({"REDIS_URL": "redis://:p@r"})
        KatoBackend("kato", {**BASE, "stores": {"environment": variables, "network": "n"}})

    replica = run(program).one("kato-2")

    assert replica.environment["REDIS_URL"] == "redis://:p@r"
    assert any(path.startswith("envs") for path in replica.secrets)


def test_labels_and_the_service_name_are_passed_on() -> None:
    replica = _backend(labels={"team": "a"}, service_name="prod").one("kato-0")

    assert replica.inputs["labels"] == [{"label": "team", "value": "a"}]
    assert replica.environment["SERVICE_NAME"] == "prod"


def test_a_preview_with_unknown_stores_still_lists_the_servers() -> None:
    def program() -> None:
        stores = {"environment": unknown(), "network": unknown()}
        KatoBackend("kato", {**BASE, "stores": stores})

    recording = run(program, preview=True)

    assert recording.names(CONTAINER) == ["kato-0", "kato-1", "kato-2"]
    assert len(recording.outputs_of("kato")["servers"]) == 5


def test_two_instances_live_side_by_side() -> None:
    def program() -> None:
        KatoBackend("one", BASE)
        KatoBackend("two", BASE)

    recording = run(program)
    urns = [resource.urn for resource in recording.resources]

    assert len(urns) == 8
    assert len(set(urns)) == len(urns)


def test_numbers_from_another_language_are_whole_ones() -> None:
    recording = _backend(replicas=2.0, max_replicas=4.0, process={"connection_limit": 600.0})

    assert recording.names(CONTAINER) == ["kato-0", "kato-1"]
    assert len(recording.outputs_of("kato")["servers"]) == 4
    assert recording.one("kato-0").environment["KATO_LIMIT_CONCURRENCY"] == "600"


@pytest.mark.parametrize("predictions", ["false", "False", "0", "no", "off", "f", "n"])
def test_an_old_release_may_run_without_predictions(predictions: str) -> None:
    recording = _backend(image="kato:5.0.1", environment={"PROCESS_PREDICTIONS": predictions})

    assert recording.one("kato-0").inputs["image"] == "kato:5.0.1"


def test_an_advised_release_is_asked_for_in_a_warning() -> None:
    recording = _backend(image="kato:5.1.0")

    assert [line for line in recording.logs if line.startswith("WARNING")] == [
        "WARNING: KATO 5.1.0 ranks predictions with stale statistics when another replica has "
        "learned; 5.2.0 and newer do not."
    ]


@pytest.mark.parametrize(
    ("args", "path", "cure"),
    [
        ({"replicas": 0}, "replicas", "between 1 and 64"),
        ({"replicas": 65}, "replicas", "between 1 and 64"),
        ({"replicas": -3}, "replicas", "between 1 and 64"),
        ({"replicas": "3"}, "replicas", "without quotes"),
        ({"replicas": 3.5}, "replicas", "whole number"),
        ({"replicas": True}, "replicas", "whole number"),
        ({"replicas": None}, "replicas", "whole number"),
        ({"replicas": float("nan")}, "replicas", "whole number"),
        ({"replicas": 4, "max_replicas": 3}, "max_replicas", "at least replicas (4)"),
        ({"max_replicas": 65}, "max_replicas", "between 1 and 64"),
        ({"max_replicas": "5"}, "max_replicas", "without quotes"),
        ({"process": {"workers": 2}}, "process.workers", "add replicas"),
        ({"process": {"workers": "1"}}, "process.workers", "without quotes"),
        ({"process": {"session_ttl": 59}}, "process.session_ttl", "at least 60"),
        ({"process": {"worker": 1}}, "process.worker", "not a known setting"),
        ({"stop_seconds": 34}, "stop_seconds", "at least 35"),
        ({"stop_seconds": 60, "process": {"graceful_shutdown": 60}}, "stop_seconds", "at least 65"),
        ({"stop_seconds": "45"}, "stop_seconds", "number"),
        ({"stop_seconds": "soon"}, "stop_seconds", "number"),
        ({"stop_seconds": float("inf")}, "stop_seconds", "number"),
        ({"image": "kato"}, "image", "no fixed tag"),
        ({"image": "kato:latest"}, "image", "no fixed tag"),
        ({"image": "Kato:6.3.0"}, "image", "lower case"),
        ({"image": "kato:5.0.1"}, "image", "use 5.0.2 or newer"),
        ({"image": "kato:5.0.1", "environment": {"PROCESS_PREDICTIONS": "yes"}}, "image", "5.0.2"),
        ({"environment": {"KATO_WORKERS": "2"}}, "environment.KATO_WORKERS", "its own input"),
        ({"environment": {"SESSION_TTL": "60"}}, "environment.SESSION_TTL", "its own input"),
        ({"environment": {"redis_enabled": "false"}}, "environment.redis_enabled", "its own input"),
        ({"environment": {"LOG_LEVEL": "info"}}, "environment.LOG_LEVEL", "upper case"),
        ({"environment": {"A B": "1"}}, "environment.'A B'", "not a name"),
        ({"replica": 3}, "replica", "not a known setting"),
    ],
)
def test_a_bad_input_is_named_before_anything_is_created(
    args: dict[str, Any], path: str, cure: str, refusal_of: Callable[..., list[tuple[str, str]]]
) -> None:
    [(found, reason)] = refusal_of(lambda: KatoBackend("kato", {**BASE, **args}))

    assert found == path
    assert cure in reason


def test_every_bad_variable_is_reported_at_once(
    refusal_of: Callable[..., list[tuple[str, str]]],
) -> None:
    environment = {"LOG_LEVEL": "info", "CORS_ORIGINS": "*"}

    found = refusal_of(lambda: KatoBackend("kato", {**BASE, "environment": environment}))

    assert [path for path, _ in found] == ["environment.LOG_LEVEL", "environment.CORS_ORIGINS"]


def test_a_draining_replica_is_listed_as_such() -> None:
    recording = _backend(draining=["kato-1"])

    listed = recording.outputs_of("kato")["servers"]
    assert [one["name"] for one in listed if one["draining"]] == ["kato-1"]


@pytest.mark.parametrize(
    ("draining", "path", "cure"),
    [
        (["kato-3"], "draining[0]", "one of kato-0, kato-1, kato-2"),
        (["kato-0", "other"], "draining[1]", "one of kato-0"),
        (["kato-0", "kato-1", "kato-2"], "draining", "at least one replica"),
        (["Kato 0"], "draining[0]", "lower-case"),
        ("kato-0", "draining", "must be a list"),
    ],
)
def test_a_drain_that_makes_no_sense_is_refused(
    draining: object, path: str, cure: str, refusal_of: Callable[..., list[tuple[str, str]]]
) -> None:
    [(found, reason)] = refusal_of(lambda: KatoBackend("kato", {**BASE, "draining": draining}))

    assert found == path
    assert cure in reason
