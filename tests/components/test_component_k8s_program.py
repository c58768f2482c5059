"""The program with the settings of the staging and prod stacks, without an engine."""

import json
from typing import Any

import pulumi
import pytest
import yaml
from k8s_stacks import of_kind
from program import ROOT, program, run_program, settings_of
from recording import Recording, attempt

STACKS = ("staging", "prod")
PASSWORD = "hunter-2"


@pytest.mark.parametrize("stack", STACKS)
def test_every_setting_of_the_stack_is_declared(stack: str) -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    used = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]

    assert used
    assert {key.removeprefix("kato:") for key in used} <= set(declared)


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_is_on_one_named_cluster(stack: str, preview: bool) -> None:
    recording = run_program(stack=stack, preview=preview)
    objects = [one for one in recording.resources if one.type.startswith("kubernetes:")]

    assert len(objects) >= 17
    assert {"pulumi:providers:kubernetes::cluster" in one.provider for one in objects} == {True}
    assert not [one for one in recording.resources if one.type.startswith("docker:")]
    assert set(recording.exports) == {"url", "namespace", "runs"}


def test_staging_has_three_replicas_and_two_balancers() -> None:
    recording = run_program(stack="staging")
    [kato] = [one for one in of_kind(recording, "StatefulSet") if one["metadata"]["name"] == "kato"]
    [balancer] = of_kind(recording, "Deployment")

    assert (kato["spec"]["replicas"], balancer["spec"]["replicas"]) == (3, 2)
    assert recording.exports["url"] == "http://kato.kato-0123456.svc.cluster.local"


def test_prod_is_autoscaled_behind_an_ingress_with_tls() -> None:
    recording = run_program(stack="prod")
    [scaler] = of_kind(recording, "HorizontalPodAutoscaler")
    [ingress] = of_kind(recording, "Ingress")

    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (3, 10)
    assert ingress["spec"]["tls"] == [{"hosts": ["kato.example.com"], "secretName": "kato-tls"}]
    assert recording.exports["url"] == "https://kato.example.com"


def test_settings_in_camel_case_reach_the_objects() -> None:
    recording = run_program(
        platform="kubernetes",
        proxy="haproxy",
        namespace="apps",
        replicas=2,
        pauseSeconds=20,
        stopSeconds=60,
        resources={"cpu": 0.25, "memoryLimitMegabytes": 2048},
        balancerPods={"replicas": 3, "resources": {"memoryMegabytes": 64}},
        network={"monitoringNamespace": "observability"},
        exposure={"kind": "LOAD_BALANCER", "annotations": {"example.com/someThing": "x"}},
        redis={"storageGigabytes": 5, "keepData": True},
        cluster={"context": "somewhere"},
        environment={"LOG_LEVEL": "DEBUG"},
    )
    workloads = {
        one["metadata"]["name"]: one["spec"]
        for kind in ("StatefulSet", "Deployment")
        for one in of_kind(recording, kind)
    }
    pod = workloads["kato"]["template"]["spec"]
    [service] = [one for one in of_kind(recording, "Service") if one["metadata"]["name"] == "kato"]

    assert workloads["kato"]["replicas"] == 2
    assert pod["terminationGracePeriodSeconds"] == 80
    assert pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == 20
    assert pod["containers"][0]["resources"]["requests"]["cpu"] == "250m"
    assert workloads["kato-balancer"]["replicas"] == 3
    assert "haproxy.cfg" in of_kind(recording, "ConfigMap")[0]["data"]
    assert service["metadata"]["annotations"] == {"example.com/someThing": "x"}
    assert "observability" in json.dumps(of_kind(recording, "NetworkPolicy"))
    assert {one["metadata"]["namespace"] for one in of_kind(recording, "Service")} == {"apps"}
    claim = workloads["kato-redis"]["volumeClaimTemplates"][0]
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"


def test_a_password_is_secret_everywhere() -> None:
    recording = run_program(
        stack="staging", secret_keys=["kato:redis"], redis={"password": PASSWORD}
    )
    holding = [one for one in recording.resources if PASSWORD in json.dumps(one.inputs)]

    assert len(holding) == 3
    assert {one.inputs["kind"] for one in holding} == {"Secret"}
    assert PASSWORD not in "\n".join(recording.logs)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"autoscaling": {"minReplicas": 3}, "replicas": 4}, "replicas"),
        ({"autoscaling": {"minReplicas": 6, "maxReplicas": 5}}, "autoscaling.maxReplicas"),
        ({"pauseSeconds": 5}, "pauseSeconds"),
        ({"stopSeconds": 34}, "stopSeconds"),
        ({"resources": {"cpuLimit": 0.01}}, "resources.cpuLimit"),
        ({"nginxImage": "nginx:stable"}, "nginxImage"),
        ({"proxy": "envoy"}, "proxy"),
        ({"balancerPods": {"replicas": 0}}, "balancerPods.replicas"),
        ({"balancer": {"keepAlive": {"idle": 5}}}, "balancer.keepAlive.idle"),
        ({"process": {"workers": 4}}, "process.workers"),
        ({"affinity": "CLIENT_IP", "exposure": {"kind": "LOAD_BALANCER"}}, "exposure.kind"),
        ({"affinity": "COOKIE"}, "exposure.kind"),
        ({"exposure": {"kind": "INGRESS"}}, "exposure.host"),
        ({"redis": {"keepData": True}}, "redis.keepData"),
        ({"clickhouse": {"host": "x", "storageGigabytes": 5}}, "clickhouse.storageGigabytes"),
        ({"katoImage": "kato:5.0.1"}, "katoImage"),
        ({"dns": {"ttlSeconds": 60}}, "pauseSeconds"),
        ({"cluster": {"kubeConfig": "x"}}, "cluster.kubeConfig"),
        ({"cluster": {"context": 5}}, "cluster.context"),
        ({"port": 9000}, "port"),
        ({"draining": ["kato-2"]}, "draining"),
    ],
)
def test_a_refused_setting_is_named_before_anything_is_made(
    settings: dict[str, Any], name: str
) -> None:
    recording = Recording(preview=True)

    with pytest.raises(pulumi.RunError) as refused:
        attempt(program, recording, config=settings_of(platform="kubernetes", **settings))

    assert f"\n{name}: " in str(refused.value)
    assert recording.resources == []


def test_a_setting_for_kubernetes_is_refused_on_docker() -> None:
    recording = Recording(preview=True)

    with pytest.raises(pulumi.RunError, match="exposure: has no effect with platform docker"):
        attempt(program, recording, config=settings_of(exposure={"kind": "INGRESS"}))

    assert recording.resources == []
