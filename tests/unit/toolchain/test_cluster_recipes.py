"""Recipes: the version that a cache entry is named after is the one that is built."""

import re

import pytest

from dev.toolchain import pins, places

VERSIONS = {
    "kubernetes/go.mod": ("k8s.io/kubernetes", pins.KUBERNETES),
    "coredns/go.mod": ("github.com/coredns/coredns", pins.COREDNS),
    "metrics-server/go.mod": ("sigs.k8s.io/metrics-server", pins.METRICS_SERVER),
    "kube-router/go.mod": ("github.com/cloudnativelabs/kube-router/v2", pins.KUBE_ROUTER),
    "traefik/go.mod": ("github.com/traefik/traefik/v3", pins.TRAEFIK),
    "traefik/download/go.mod": ("github.com/traefik/traefik/v3", pins.TRAEFIK),
    "gateway-api/go.mod": ("sigs.k8s.io/gateway-api", pins.GATEWAY_API),
    "prometheus-operator/go.mod": (
        "github.com/prometheus-operator/prometheus-operator",
        pins.PROMETHEUS_OPERATOR,
    ),
    "external-dns/go.mod": ("sigs.k8s.io/external-dns", pins.EXTERNAL_DNS),
}


@pytest.mark.parametrize("file", VERSIONS)
def test_the_pinned_version_is_the_required_one(file: str) -> None:
    module, version = VERSIONS[file]
    text = (places.RECIPES / file).read_text()

    required = re.search(rf"^(?:require)?\s*{re.escape(module)} v(\S+)", text, re.MULTILINE)

    assert required is not None
    assert required[1] == version


@pytest.mark.parametrize("file", VERSIONS)
def test_every_byte_of_a_recipe_is_pinned(file: str) -> None:
    assert (places.RECIPES / file).with_name("go.sum").stat().st_size > 0


def test_every_module_of_kubernetes_is_of_one_release() -> None:
    text = (places.RECIPES / "kubernetes/go.mod").read_text()

    replaced = dict(re.findall(r"k8s\.io/(\S+) => k8s\.io/\S+ v(\S+)", text))

    assert len(replaced) > 20
    assert set(replaced.values()) == {pins.KUBERNETES.replace("1.", "0.", 1)}
