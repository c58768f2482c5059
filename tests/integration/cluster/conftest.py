"""The machine's own one-node cluster; it is started if need be, never skipped."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_client import Cluster

from dev.cluster import lifecycle

IMAGE = "kato-lb/redis:8.0"
HTTP_IMAGE = "kato-lb/kato-stand-in:6.3.0"


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    """A running cluster that has the images of these tests."""
    images = [IMAGE, HTTP_IMAGE]
    subprocess.run([sys.executable, "-m", "dev.images", "build", *images], check=True, timeout=900)
    return lifecycle.ensure(images)


@pytest.fixture(scope="session")
def cluster(kubeconfig: Path) -> Cluster:
    return Cluster(kubeconfig, IMAGE)


@pytest.fixture(scope="session")
def http_image() -> str:
    """An image with Python, for a server that says which pod it is."""
    return HTTP_IMAGE


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, with the strictest rules for pods."""
    name = cluster.new_namespace(enforce="restricted")
    yield name
    cluster.delete_namespace(name)
