"""What runs in the cluster before anything of a user does: names, metrics, storage."""

import json
from typing import Any

from dev.cluster import api, configuration, images, layout, recipes
from dev.toolchain import pins

COREDNS_IMAGE = f"kato-lb/coredns:{pins.COREDNS}"
METRICS_IMAGE = f"kato-lb/metrics-server:{pins.METRICS_SERVER}"

Object = dict[str, Any]

_SYSTEM = "kube-system"


def own_images() -> list[images.ProgramImage]:
    """The images that the cluster itself needs."""
    return [
        images.ProgramImage(configuration.PAUSE_IMAGE, recipes.pause()),
        images.ProgramImage(COREDNS_IMAGE, recipes.coredns()),
        images.ProgramImage(METRICS_IMAGE, recipes.metrics_server()),
    ]


def apply_all(objects: list[Object]) -> None:
    """Bring the cluster to these objects."""
    for item in objects:
        api.apply(path(item), json.dumps(item).encode())


def path(item: Object) -> str:
    """Where the API keeps an object."""
    version, metadata = item["apiVersion"], item["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{namespace}/{plural(item['kind'])}/{metadata['name']}"


def plural(kind: str) -> str:
    """The name of a kind in a path."""
    if kind.endswith("ss"):
        return f"{kind.lower()}es"
    return f"{kind.lower()}s"


def storage_class() -> Object:
    """The default class; a volume is a folder of the node."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "local-folder",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": configuration.STORAGE_PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def names(*, outside: bool) -> list[Object]:
    """CoreDNS with short lifetimes, so that tests see a changed pod soon.

    ``outside``: other names go to the machine's own name servers.
    """
    corefile = f"""\
.:53 {{
    errors
    health {{
        lameduck 1s
    }}
    ready
    kubernetes {layout.CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        ttl 2
    }}
    prometheus :9153
    {"forward . /etc/resolv.conf" if outside else ""}
    cache 2
    reload 2s
}}
"""
    labels = {"k8s-app": "kube-dns"}
    rules = [
        {
            "apiGroups": [""],
            "resources": ["endpoints", "services", "pods", "namespaces"],
            "verbs": ["list", "watch"],
        },
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["list", "watch"],
        },
    ]
    ports = [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP")]
    container = {
        "name": "coredns",
        "image": COREDNS_IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": name, "containerPort": port, "protocol": protocol}
            for name, port, protocol in ports
        ],
        "volumeMounts": [{"name": "configuration", "mountPath": "/etc/coredns"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "failureThreshold": 10},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        },
    }
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "configuration", "configMap": {"name": "coredns"}}],
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": _SYSTEM, "labels": labels},
        "spec": {
            "clusterIP": layout.DNS_ADDRESS,
            "selector": labels,
            "ports": [
                {"name": name, "port": port, "protocol": protocol} for name, port, protocol in ports
            ],
        },
    }
    return [
        *_account("coredns", "system:coredns", rules),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "coredns", "namespace": _SYSTEM},
            "data": {"Corefile": corefile},
        },
        _deployment("coredns", labels, pod),
        service,
    ]


def metrics() -> list[Object]:
    """metrics-server and its place in the API."""
    labels = {"k8s-app": "metrics-server"}
    rules = [
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]},
    ]
    container = {
        "name": "metrics-server",
        "image": METRICS_IMAGE,
        "imagePullPolicy": "Never",
        "args": [
            "--secure-port=10250",
            "--cert-dir=/certificates",
            "--kubelet-insecure-tls",
            "--kubelet-preferred-address-types=InternalIP",
            "--metric-resolution=10s",
            # Longer than the resolution, its default makes it refuse to start.
            "--kubelet-request-timeout=5s",
        ],
        "ports": [{"name": "https", "containerPort": 10250}],
        "volumeMounts": [{"name": "certificates", "mountPath": "/certificates"}],
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "https", "scheme": "HTTPS"},
            "periodSeconds": 1,
            "failureThreshold": 60,
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    pod = {
        "serviceAccountName": "metrics-server",
        "priorityClassName": "system-cluster-critical",
        "containers": [container],
        "volumes": [{"name": "certificates", "emptyDir": {}}],
    }
    reader = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": "system:aggregated-metrics-reader",
            "labels": {
                f"rbac.authorization.k8s.io/aggregate-to-{role}": "true"
                for role in ("view", "edit", "admin")
            },
        },
        "rules": [
            {
                "apiGroups": ["metrics.k8s.io"],
                "resources": ["pods", "nodes"],
                "verbs": ["get", "list", "watch"],
            }
        ],
    }
    authentication = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "metrics-server-auth-reader", "namespace": _SYSTEM},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": "extension-apiserver-authentication-reader",
        },
        "subjects": [_subject("metrics-server")],
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics-server", "namespace": _SYSTEM, "labels": labels},
        "spec": {
            "selector": labels,
            "ports": [{"name": "https", "port": 443, "targetPort": "https"}],
        },
    }
    registration = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": "metrics-server", "namespace": _SYSTEM},
        },
    }
    return [
        *_account("metrics-server", "system:metrics-server", rules),
        reader,
        authentication,
        _binding("metrics-server:system:auth-delegator", "system:auth-delegator", "metrics-server"),
        _deployment("metrics-server", labels, pod),
        service,
        registration,
    ]


def _deployment(name: str, labels: dict[str, str], pod: Object) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": _SYSTEM, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _account(name: str, role: str, rules: list[Object]) -> list[Object]:
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": _SYSTEM},
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": role},
            "rules": rules,
        },
        _binding(role, role, name),
    ]


def _binding(name: str, role: str, account: str) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": role,
        },
        "subjects": [_subject(account)],
    }


def _subject(account: str) -> Object:
    return {"kind": "ServiceAccount", "name": account, "namespace": _SYSTEM}
