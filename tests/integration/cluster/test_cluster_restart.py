"""The cluster goes without a trace and comes back; parts that crash are started again.

These come last in the folder: they end what the tests before them use.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cluster_client import Cluster, api_errors, eventually

from dev.cluster import given, layout, lifecycle, network, node, processes
from dev.toolchain import places

IMAGE = "kato-lb/redis:8.0"
SYSTEM = {"default", "kube-system", "kube-public", "kube-node-lease"}


@pytest.fixture
def cluster(kubeconfig: Path) -> Cluster:
    """A client for each test: a cluster that was started anew has new certificates."""
    return Cluster(kubeconfig, IMAGE)


@pytest.fixture(autouse=True)
def nobody_else_uses_it(cluster: Cluster) -> None:
    """Ending the cluster must not end anybody's work."""
    assert not given.in_use(), "unset KATO_LB_KUBECONFIG: these tests stop and start a cluster"
    assert node.owner() == places.ROOT, "another clone started the cluster; use 'down' there"

    def others() -> set[str]:
        return {item.metadata.name for item in cluster.core.list_namespace().items} - SYSTEM

    eventually(lambda: not [name for name in others() if name.startswith("test-")])
    assert not others(), "somebody uses the cluster; remove these namespaces first"


@pytest.fixture
def docker_rules() -> list[str]:
    """Docker's part of the packet filter, in order."""
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    return [line for line in saved.splitlines() if "docker" in line.lower()]


@pytest.mark.parametrize("name", ["kube-apiserver", "containerd", "kubelet", "etcd", "all"])
def test_a_part_that_crashed_is_started_again_and_pods_run_on(
    cluster: Cluster, namespace: str, name: str
) -> None:
    cluster.start_pod(namespace, "survivor", "sleep", "600")
    before = cluster.core.read_namespaced_pod("survivor", namespace).status.container_statuses
    _kill(*(node.states() if name == "all" else [name]))

    lifecycle.ensure()

    assert node.healthy()
    after = cluster.core.read_namespaced_pod("survivor", namespace).status.container_statuses
    assert [c.container_id for c in after] == [c.container_id for c in before]
    # A new kubelet takes a moment to know its pods again.
    question = "getent hosts kubernetes.default"
    eventually(lambda: "svc" in cluster.run(namespace, "survivor", question), api_errors)


def _kill(*names: str) -> None:
    for name in names:
        identity = processes.running(name)
        assert identity is not None
        os.kill(identity.pid, signal.SIGKILL)
    eventually(lambda: not any(processes.running(name) for name in names))


def test_nothing_is_left_when_it_was_stopped_and_it_starts_again(
    kubeconfig: Path, docker_rules: list[str]
) -> None:
    interfaces = {path.name for path in Path("/sys/class/net").iterdir()}
    cables = set(network.cables())
    assert cables
    started = time.monotonic()
    lifecycle.down()

    assert node.left() == []
    ours = {*cables, layout.NODE_BRIDGE, layout.POD_BRIDGE}
    assert {path.name for path in Path("/sys/class/net").iterdir()} == interfaces - ours
    assert time.monotonic() - started < 45
    assert not kubeconfig.exists()
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    assert [line for line in saved.splitlines() if "docker" in line.lower()] == docker_rules

    assert lifecycle.ensure() == kubeconfig
    assert node.healthy()


def test_a_cluster_whose_parts_were_all_killed_can_be_stopped(kubeconfig: Path) -> None:
    _kill(*node.states())

    lifecycle.down()

    assert node.left() == []
    assert lifecycle.ensure() == kubeconfig


def test_an_ended_cluster_of_another_clone_is_started_anew(
    cluster: Cluster, tmp_path: Path
) -> None:
    namespace = cluster.new_namespace(enforce="restricted")
    _kill(*node.states())
    layout.OWNER.write_text(f"{tmp_path}\n")

    kubeconfig = lifecycle.ensure()

    assert node.owner() == places.ROOT
    anew = Cluster(kubeconfig, IMAGE)
    assert namespace not in {item.metadata.name for item in anew.core.list_namespace().items}
