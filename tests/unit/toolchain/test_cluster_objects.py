"""Objects that the cluster starts with: their paths in the API, and what they promise."""

import pytest

from dev.cluster import addons, configuration, ingress, layout


@pytest.mark.parametrize(
    ("version", "kind", "namespace", "path"),
    [
        ("v1", "Service", "a", "/api/v1/namespaces/a/services/x"),
        ("apps/v1", "Deployment", "a", "/apis/apps/v1/namespaces/a/deployments/x"),
        ("storage.k8s.io/v1", "StorageClass", "", "/apis/storage.k8s.io/v1/storageclasses/x"),
        (
            "apiregistration.k8s.io/v1",
            "APIService",
            "",
            "/apis/apiregistration.k8s.io/v1/apiservices/x",
        ),
    ],
)
def test_where_the_api_keeps_an_object(version: str, kind: str, namespace: str, path: str) -> None:
    metadata = {"name": "x", **({"namespace": namespace} if namespace else {})}

    assert addons.path({"apiVersion": version, "kind": kind, "metadata": metadata}) == path


def _corefile(*, outside: bool) -> str:
    (text,) = [
        item["data"]["Corefile"]
        for item in addons.names(outside=outside)
        if item["kind"] == "ConfigMap"
    ]
    return str(text)


def test_a_changed_pod_is_seen_within_seconds() -> None:
    corefile = _corefile(outside=True)

    assert "ttl 2" in corefile
    assert "cache 2" in corefile


def test_without_a_name_server_that_pods_reach_no_name_is_passed_on() -> None:
    assert "forward" in _corefile(outside=True)
    assert "forward" not in _corefile(outside=False)


def test_the_name_server_has_the_address_that_the_kubelet_gives_to_pods() -> None:
    (service,) = [item for item in addons.names(outside=True) if item["kind"] == "Service"]

    assert service["spec"]["clusterIP"] == layout.DNS_ADDRESS
    assert configuration.kubelet()["clusterDNS"] == [layout.DNS_ADDRESS]


def test_a_claim_without_a_class_gets_the_folder_class() -> None:
    metadata = addons.storage_class()["metadata"]

    assert metadata["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}


def test_no_image_of_the_cluster_itself_is_ever_pulled() -> None:
    deployments = [
        item
        for item in [*addons.names(outside=True), *addons.metrics()]
        if item["kind"] == "Deployment"
    ]

    assert len(deployments) == 2
    for item in deployments:
        for container in item["spec"]["template"]["spec"]["containers"]:
            assert container["imagePullPolicy"] == "Never"


def test_only_resource_definitions_are_taken_from_a_file() -> None:
    text = """\
# Copyright
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    a: b
  name: gateways.gateway.networking.k8s.io
spec: {}
---
apiVersion: v1
kind: Secret
metadata:
  name: other
"""
    ((path, document),) = ingress.custom_resources(text)

    wanted = "customresourcedefinitions/gateways.gateway.networking.k8s.io"
    assert path == f"/apis/apiextensions.k8s.io/v1/{wanted}"
    assert "kind: CustomResourceDefinition" in document
    assert "Secret" not in document
