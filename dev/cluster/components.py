"""The programs that make up the cluster, in the order in which they start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev.cluster import backends, configuration, layout, recipes
from dev.cluster.certificates import certificate, key


@dataclass(frozen=True)
class Component:
    """One host process. ``patience``: seconds it gets to end by itself when it is stopped."""

    name: str
    command: Callable[[], list[str]]
    patience: float = 3
    environment: Callable[[], Mapping[str, str]] = dict
    """Variables beside those of whoever starts it."""


def etcd() -> list[str]:
    """The store; a test cluster need not survive a power cut."""
    url = f"https://127.0.0.1:{layout.ETCD_PORT}"
    peer = f"http://127.0.0.1:{layout.ETCD_PEER_PORT}"
    return [
        "etcd",
        f"--data-dir={layout.HOME / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--cert-file={certificate('etcd')}",
        f"--key-file={key('etcd')}",
        f"--trusted-ca-file={certificate('etcd-ca')}",
        "--client-cert-auth",
        "--unsafe-no-fsync",
    ]


def containerd() -> list[str]:
    """The container runtime."""
    return ["containerd", "--config", str(configuration.CONTAINERD)]


def apiserver() -> list[str]:
    """The API server, on the node's private address."""
    return [
        str(recipes.kubernetes()), "kube-apiserver",
        f"--advertise-address={layout.NODE_ADDRESS}",
        f"--bind-address={layout.NODE_ADDRESS}",
        f"--secure-port={layout.API_PORT}",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--anonymous-auth=false",
        f"--client-ca-file={certificate('ca')}",
        f"--tls-cert-file={certificate('apiserver')}",
        f"--tls-private-key-file={key('apiserver')}",
        f"--etcd-servers=https://127.0.0.1:{layout.ETCD_PORT}",
        f"--etcd-cafile={certificate('etcd-ca')}",
        f"--etcd-certfile={certificate('apiserver-etcd')}",
        f"--etcd-keyfile={key('apiserver-etcd')}",
        f"--kubelet-client-certificate={certificate('apiserver-kubelet')}",
        f"--kubelet-client-key={key('apiserver-kubelet')}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-cluster-ip-range={layout.SERVICE_CIDR}",
        f"--service-account-issuer=https://kubernetes.default.svc.{layout.CLUSTER_DOMAIN}",
        f"--service-account-key-file={key('service-accounts')}",
        f"--service-account-signing-key-file={key('service-accounts')}",
        # Without the header flags an aggregated API stays unavailable.
        f"--requestheader-client-ca-file={certificate('front-proxy-ca')}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={certificate('front-proxy')}",
        f"--proxy-client-key-file={key('front-proxy')}",
        "--enable-aggregator-routing=true",
        f"--cert-dir={layout.HOME / 'apiserver'}",
    ]  # fmt: skip


def controller_manager() -> list[str]:
    """Every controller; autoscalers look every five seconds."""
    return [
        str(recipes.kubernetes()), "kube-controller-manager",
        f"--kubeconfig={configuration.client('controller-manager')}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        "--controllers=*,-cloud-node-lifecycle-controller",
        f"--service-account-private-key-file={key('service-accounts')}",
        f"--root-ca-file={certificate('ca')}",
        f"--cluster-signing-cert-file={certificate('ca')}",
        f"--cluster-signing-key-file={key('ca')}",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={layout.POD_CIDR}",
        "--node-cidr-mask-size=24",
        f"--service-cluster-ip-range={layout.SERVICE_CIDR}",
        "--horizontal-pod-autoscaler-sync-period=5s",
        f"--cert-dir={layout.HOME / 'controller-manager'}",
    ]  # fmt: skip


def scheduler() -> list[str]:
    """The scheduler."""
    return [
        str(recipes.kubernetes()), "kube-scheduler",
        f"--kubeconfig={configuration.client('scheduler')}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        f"--cert-dir={layout.HOME / 'scheduler'}",
    ]  # fmt: skip


def kubelet() -> list[str]:
    """The node's agent."""
    return [
        str(recipes.kubernetes()), "kubelet",
        f"--config={configuration.KUBELET}",
        f"--kubeconfig={configuration.client('kubelet')}",
        f"--root-dir={layout.KUBELET_ROOT}",
        f"--cert-dir={layout.KUBELET_ROOT / 'pki'}",
        f"--hostname-override={layout.NODE_NAME}",
        f"--node-ip={layout.NODE_ADDRESS}",
    ]  # fmt: skip


def kube_proxy() -> list[str]:
    """What makes service addresses work."""
    return [str(recipes.kubernetes()), "kube-proxy", f"--config={configuration.KUBE_PROXY}"]


def kube_router() -> list[str]:
    """What enforces network policies; it routes nothing."""
    return [
        str(recipes.kube_router()),
        f"--kubeconfig={configuration.client('admin')}",
        f"--hostname-override={layout.NODE_NAME}",
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--run-loadbalancer=false",
        "--iptables-sync-period=30s",
        f"--service-cluster-ip-range={layout.SERVICE_CIDR}",
        "--health-port=0",
        "--metrics-port=0",
    ]


def storage() -> list[str]:
    """What makes a folder for every volume claim."""
    return [
        str(recipes.storage()),
        f"--kubeconfig={configuration.client('admin')}",
        f"--root={layout.VOLUMES}",
        f"--node={layout.NODE_NAME}",
        f"--provisioner={configuration.STORAGE_PROVISIONER}",
    ]


BASE = (
    Component("etcd", etcd),
    Component("containerd", containerd),
    # It waits a minute for open watches when it is asked to end.
    Component("kube-apiserver", apiserver, patience=0),
)
"""What must run before anything else can."""

CORE = (
    Component("kube-controller-manager", controller_manager),
    Component("kube-scheduler", scheduler),
    Component("kubelet", kubelet),
    Component("kube-proxy", kube_proxy),
)

NODE_WATCHERS = (
    Component("kube-router", kube_router, environment=backends.environment),
    Component("storage", storage),
)
"""What ends when it finds no node."""
