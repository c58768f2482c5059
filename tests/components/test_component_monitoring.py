"""KatoMonitoring: what is scraped, what is published, and what is refused before."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
import yaml
from program import run_program
from recording import CONTAINER, VOLUME, Recording, run, unknown

from components import HaproxyBalancer, KatoMonitoring, NginxBalancer, log_exporter
from dev.images import catalogue
from kato_balancing.monitoring import rules

SERVERS = [{"name": f"kato-{i}", "host": f"kato-{i}", "port": 8000} for i in range(2)]
BASE: dict[str, Any] = {"servers": SERVERS, "network": "net"}
SOCKET = "/run/kato-log/socket"


def _monitoring(*, preview: bool = False, **args: Any) -> Recording:
    return run(lambda: KatoMonitoring("watch", {**BASE, **args}), preview=preview)


def _jobs(recording: Recording) -> dict[str, Any]:
    written = yaml.safe_load(recording.uploaded("prometheus.yml"))
    return {job["job_name"]: job for job in written["scrape_configs"]}


def _targets(job: dict[str, Any]) -> list[str]:
    return [target for config in job["static_configs"] for target in config["targets"]]


def test_prometheus_has_the_rules_and_scrapes_everything() -> None:
    recording = _monitoring(redis={"url": "redis://redis:6379"}, proxy="haproxy")

    jobs = _jobs(recording)
    assert _targets(jobs["kato-exporter"]) == ["watch-exporter:9102"]
    assert _targets(jobs["kato-balancer"]) == ["balancer:8081"]
    assert jobs["kato-balancer"]["metrics_path"] == "/lb/metrics"
    assert _targets(jobs["kato-redis"]) == ["watch-redis-exporter:9121"]
    assert jobs["kato"]["metrics_path"] == "/metrics-prom"
    assert [lookup["names"] for lookup in jobs["kato"]["dns_sd_configs"]] == [
        ["kato-0"],
        ["kato-1"],
    ]
    assert recording.uploaded("kato.rules.yml") == rules.document()
    [file] = yaml.safe_load(recording.uploaded("prometheus.yml"))["rule_files"]
    assert file in recording.one("watch-prometheus").files


def test_nginx_is_asked_by_the_exporter_and_haproxy_by_prometheus() -> None:
    nginx, haproxy = _monitoring(balancer="front"), _monitoring(proxy="haproxy", balancer="front")
    command = nginx.one("watch-exporter").inputs["command"]

    assert command[command.index("--status") + 1] == "http://front:8081/lb/status"
    assert "kato-balancer" not in _jobs(nginx)
    assert "--status" not in haproxy.one("watch-exporter").inputs["command"]
    assert _targets(_jobs(haproxy)["kato-balancer"]) == ["front:8081"]


def test_the_exporter_knows_the_servers_and_katos_limit() -> None:
    recording = _monitoring(process={"connection_limit": 1000.0})
    exporter = recording.one("watch-exporter").inputs

    assert exporter["command"][:6] == [
        *("--socket", SOCKET),
        *("--listen", "0.0.0.0:9102"),
        *("--connection-limit", "1000"),
    ]
    assert exporter["command"][-4:] == [
        *("--server", "kato-0=kato-0:8000"),
        *("--server", "kato-1=kato-1:8000"),
    ]
    assert exporter["sysctls"] == {"net.unix.max_dgram_qlen": "512"}
    assert "ports" not in exporter


def test_servers_that_are_not_known_yet_are_taken() -> None:
    before = run(lambda: KatoMonitoring("watch", {**BASE, "servers": unknown()}), preview=True)
    assert before.one("watch-exporter").inputs["image"] == log_exporter.IMAGE
    later = run(
        lambda: KatoMonitoring("watch", {**BASE, "servers": pulumi.Output.from_input(SERVERS)})
    )
    assert "kato-1=kato-1:8000" in later.one("watch-exporter").inputs["command"]


def test_only_this_machine_reaches_prometheus_unless_asked_otherwise() -> None:
    usual, asked = _monitoring(), _monitoring(publish={"port": 80.0, "address": "0.0.0.0"})

    [port] = usual.one("watch-prometheus").inputs["ports"]
    assert port == {"internal": 9090, "external": 9090, "ip": "127.0.0.1"}
    assert usual.outputs_of("watch")["prometheus_url"] == "http://127.0.0.1:9090"
    [port] = asked.one("watch-prometheus").inputs["ports"]
    assert port == {"internal": 9090, "external": 80, "ip": "0.0.0.0"}
    assert asked.outputs_of("watch")["prometheus_url"] == "http://127.0.0.1:80"


def test_figures_outlive_the_container_for_as_long_as_asked() -> None:
    recording = _monitoring(retention_days=3.0)
    prometheus = recording.one("watch-prometheus").inputs

    assert "--storage.tsdb.retention.time=3d" in prometheus["command"]
    assert prometheus["volumes"] == [
        {"containerPath": "/prometheus", "volumeName": "watch-prometheus-data-0123456"}
    ]
    # 'make down' keeps volumes of this ending.
    assert "watch-prometheus-data" in recording.names(VOLUME)


def test_the_address_of_redis_is_a_secret() -> None:
    recording = _monitoring(redis={"url": "redis://:hunter-2@redis:6379"})
    exporter = recording.one("watch-redis-exporter")

    assert exporter.environment == {"REDIS_ADDR": "redis://:hunter-2@redis:6379"}
    assert any(path.startswith("envs") for path in exporter.secrets)
    others = [one for one in recording.of(CONTAINER) if one.name != "watch-redis-exporter"]
    assert "hunter-2" not in str([one.inputs for one in others])


def test_every_container_is_unprivileged_and_labelled() -> None:
    recording = _monitoring(redis={"url": "redis://redis:6379"}, labels={"team": "a"})

    assert len(recording.of(CONTAINER)) == 3
    for container in recording.of(CONTAINER):
        assert container.inputs["capabilities"] == {"drops": ["ALL"]}
        assert container.inputs["securityOpts"] == ["no-new-privileges:true"]
        assert container.inputs["labels"] == [{"label": "team", "value": "a"}]


@pytest.mark.parametrize(
    ("component", "file", "expected"),
    [
        (NginxBalancer, "nginx.conf", f"access_log syslog:server=unix:{SOCKET},nohostname kato;"),
        (HaproxyBalancer, "haproxy.cfg", f"log {SOCKET} len 8192 format raw local0 info"),
    ],
)
def test_a_balancer_sends_its_log_to_the_exporters_volume(
    component: Any, file: str, expected: str
) -> None:
    def program() -> None:
        monitoring = KatoMonitoring("watch", BASE)
        component("lb", {**BASE, "log_volume": monitoring.log_volume})

    recording = run(program)

    assert expected in recording.uploaded(file)
    mount = {"containerPath": "/run/kato-log", "volumeName": "watch-exporter-log-0123456"}
    assert mount in recording.one("lb").inputs["volumes"]
    assert mount in recording.one("watch-exporter").inputs["volumes"]
    assert SOCKET not in run(lambda: component("lb", BASE)).uploaded(file)


@pytest.mark.parametrize(
    ("changed", "path", "reason"),
    [
        ({"proxy": "apache"}, "proxy", "must be one of nginx, haproxy"),
        ({"retention_days": 0.0}, "retention_days", "must be at least 1"),
        ({"publish": {"port": 0.0}}, "publish.port", "must be at least 1"),
        ({"exporter_image": "Exporter"}, "exporter_image", ""),
        ({"redis": {}}, "redis.url", "is required"),
        ({"balancer": "The Balancer"}, "balancer", "must be 1 to 63 lower-case"),
        ({"process": {"workers": 0.0}}, "process.workers", "must be at least 1"),
        ({"servers": [{"name": "a"}]}, "servers[0].host", "is required"),
        ({"servers": 3.0}, "servers", "must be a list"),
        ({"grafana": True}, "grafana", "is not a known setting"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_made(
    changed: dict[str, Any],
    path: str,
    reason: str,
    refusal_of: Callable[[Callable[[], Any]], list[tuple[str, str]]],
) -> None:
    args: Any = {**BASE, **changed}

    [(found, why)] = refusal_of(lambda: KatoMonitoring("watch", args))
    assert found == path
    assert reason in why


def test_the_local_image_is_the_default_one() -> None:
    assert catalogue.KATO_EXPORTER.name == log_exporter.IMAGE


def test_a_stack_has_no_monitoring_unless_asked() -> None:
    for settings in ({}, {"monitoring": {"enabled": False, "port": 9000}}):
        recording = run_program(**settings)

        assert not [name for name in recording.names(CONTAINER) if "monitoring" in name]
        assert "prometheusUrl" not in recording.exports


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
def test_a_stack_is_watched_when_asked(proxy: str) -> None:
    recording = run_program(
        proxy=proxy,
        redis={"password": "hunter-2"},
        monitoring={"enabled": True, "port": 9999, "retentionDays": 2, "exporterImage": "e:1"},
    )

    assert recording.exports["prometheusUrl"] == "http://127.0.0.1:9999"
    assert ("kato-balancer" in _jobs(recording)) == (proxy == "haproxy")
    assert recording.one("monitoring-exporter").inputs["image"] == "e:1"
    redis = recording.one("monitoring-redis-exporter").environment["REDIS_ADDR"]
    assert redis == "redis://:hunter-2@stores-redis:6379"
    mounts = recording.one("balancer").inputs["volumes"]
    assert "/run/kato-log" in [mount["containerPath"] for mount in mounts]


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"enabled": "yes"}, "monitoring.enabled: must be true or false (got 'yes')"),
        (
            {"enabled": True, "grafana": 1},
            "monitoring.grafana: is not a known setting; use enabled",
        ),
        ({"enabled": True, "port": "x"}, "monitoring.port: must be a whole number"),
        ({"enabled": True, "retentionDays": 0}, "monitoring.retentionDays: must be at least 1"),
        ({"enabled": True, "redisExporterImage": "A"}, "monitoring.redisExporterImage: "),
    ],
)
def test_a_wrong_setting_is_named(group: dict[str, Any], message: str) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        run_program(monitoring=group)

    assert message in str(caught.value)
