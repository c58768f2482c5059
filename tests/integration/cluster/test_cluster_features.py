"""What the product relies on in a cluster works in this one as in any other."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cluster_client import Cluster, eventually
from kubernetes import client

from dev.cluster import commands


def test_the_node_is_ready(cluster: Cluster) -> None:
    (node,) = cluster.core.list_node().items

    assert {c.type: c.status for c in node.status.conditions}["Ready"] == "True"
    assert node.status.node_info.kubelet_version.startswith("v1.36.")


def test_names_are_answered_in_a_pod(cluster: Cluster, namespace: str) -> None:
    cluster.start_pod(namespace, "asker", "sleep", "600")

    answer = cluster.run(namespace, "asker", "getent hosts kubernetes.default")

    assert "kubernetes.default.svc.cluster.local" in answer


def test_cpu_and_memory_use_is_measured(cluster: Cluster) -> None:
    nodes = cluster.custom.list_cluster_custom_object("metrics.k8s.io", "v1beta1", "nodes")

    (node,) = nodes["items"]
    assert node["usage"]["cpu"] != "0"
    assert node["usage"]["memory"].endswith("Ki")


def test_a_volume_is_bound_and_belongs_to_the_group_of_the_pod(
    cluster: Cluster, namespace: str
) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    cluster.core.create_namespaced_persistent_volume_claim(namespace, claim)
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    cluster.start_pod(namespace, "writer", "sleep", "600", volumes=[volume])

    assert cluster.run(namespace, "writer", "echo kept > /data/file; id -u") == "10001\n"

    cluster.core.delete_namespaced_pod("writer", namespace)
    cluster.start_pod(namespace, "reader", "sleep", "600", volumes=[volume])
    assert cluster.run(namespace, "reader", "cat /data/file") == "kept\n"


def test_a_network_policy_is_enforced(cluster: Cluster, namespace: str) -> None:
    server = ("redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--dir", "/tmp")
    cluster.start_pod(namespace, "server", *server)
    cluster.start_pod(namespace, "friend", "sleep", "600")
    cluster.start_pod(namespace, "stranger", "sleep", "600")
    service = {
        "metadata": {"name": "server"},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 6379}]},
    }
    cluster.core.create_namespaced_service(namespace, service)

    def ping(pod: str) -> str:
        return cluster.run(namespace, pod, "timeout 2 redis-cli -h server ping")

    eventually(lambda: ping("stranger") == "PONG\n")

    allowed = {"podSelector": {"matchLabels": {"app": "friend"}}}
    policy = {
        "metadata": {"name": "friends-only"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "server"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [allowed]}],
        },
    }
    cluster.policies.create_namespaced_network_policy(namespace, policy)

    eventually(lambda: ping("stranger") != "PONG\n")
    eventually(lambda: ping("friend") == "PONG\n")
    assert ping("stranger") != "PONG\n"


def test_policies_leave_the_packet_filter_of_others_alone(cluster: Cluster, namespace: str) -> None:
    """Docker writes its rules while pods and policies come and go."""
    cluster.start_pod(namespace, "server", "sleep", "600")
    policy = {
        "metadata": {"name": "nobody"},
        "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"]},
    }
    chain, iptables = f"LB-TEST-{secrets.token_hex(4).upper()}", ["iptables", "--wait"]

    def written() -> int:
        commands.done([*iptables, "-N", chain])
        for number in range(200):
            comment = ["-m", "comment", "--comment", str(number)]
            commands.done([*iptables, "-A", chain, *comment, "-j", "RETURN"])
        return commands.done([*iptables, "-S", chain]).count("--comment")

    with ThreadPoolExecutor(1) as pool:
        others = pool.submit(written)
        while not others.done():
            cluster.policies.create_namespaced_network_policy(namespace, policy)
            time.sleep(0.2)
            cluster.policies.delete_namespaced_network_policy("nobody", namespace)
            time.sleep(0.2)
    commands.done([*iptables, "-F", chain])
    commands.done([*iptables, "-X", chain])

    assert others.result() == 200


def test_a_privileged_pod_is_refused_in_a_restricted_namespace(
    cluster: Cluster, namespace: str
) -> None:
    container = {"name": "x", "image": "none", "securityContext": {"privileged": True}}
    body = {"metadata": {"name": "x"}, "spec": {"containers": [container]}}

    with pytest.raises(client.ApiException) as refusal:
        cluster.core.create_namespaced_pod(namespace, body)

    assert refusal.value.status == 403
    assert "privileged" in refusal.value.body
