"""The configuration files of the cluster's programs."""

import json
from pathlib import Path

from dev.cluster import certificates, kubeconfig, layout

PAUSE_IMAGE = "kato-lb/pause:1"
STORAGE_PROVISIONER = "kato-lb.org/local-folder"

CONTAINERD = layout.CONFIGURATION / "containerd.toml"
KUBELET = layout.CONFIGURATION / "kubelet.json"
KUBE_PROXY = layout.CONFIGURATION / "kube-proxy.json"
RESOLV_CONF = layout.CONFIGURATION / "resolv.conf"
_CNI = layout.CNI_CONFIGURATION / "10-kato-lb.conflist"

_CAP_SYS_RESOURCE = 24


def client(identity: str) -> Path:
    """The kubeconfig of one of the cluster's own programs."""
    return layout.CONFIGURATION / f"{identity}.kubeconfig"


def write_all() -> None:
    """Write every file that is missing or different; the certificates must be there.

    A file that is right already is not touched: kube-proxy ends when its file is written.
    """
    layout.CNI_CONFIGURATION.mkdir(parents=True, exist_ok=True)
    status = Path("/proc/self/status").read_text()
    files = {
        CONTAINERD: containerd(may_raise_priority=has_capability(status, _CAP_SYS_RESOURCE)),
        _CNI: json.dumps(pod_network(), indent=2),
        KUBELET: json.dumps(kubelet(), indent=2),
        KUBE_PROXY: json.dumps(kube_proxy(), indent=2),
        RESOLV_CONF: outside_names(Path("/etc/resolv.conf").read_text()),
    }
    for path, text in files.items():
        kubeconfig.replace(path, text)
    for identity in ("admin", "controller-manager", "scheduler", "kube-proxy", "kubelet"):
        kubeconfig.write(client(identity), identity)


def has_capability(status: str, number: int) -> bool:
    """Read the effective capabilities from the text of /proc/PID/status."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def outside_names(resolv_conf: str) -> str:
    """The name servers that pods can reach too; loopback ones would be the pod's own loopback."""
    kept = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and not words[1].startswith(("127.", "::1")):
            kept.append(f"nameserver {words[1]}\n")
    return "".join(kept)


def containerd(*, may_raise_priority: bool) -> str:
    """An own containerd beside whatever runs for Docker."""
    # Without CAP_SYS_RESOURCE runc can't lower a score, and then no pod starts at all.
    restrict = str(not may_raise_priority).lower()
    return f"""\
version = 2
root = "{layout.CONTAINERD_ROOT}"
state = "{layout.CONTAINERD_STATE}"

[grpc]
  address = "{layout.CONTAINERD_SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = {restrict}
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{layout.CNI_PLUGINS}"
    conf_dir = "{layout.CNI_CONFIGURATION}"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""


def pod_network() -> dict[str, object]:
    """The bridge that pods are plugged into; masquerading is an own rule, not one per pod."""
    return {
        "cniVersion": "1.0.0",
        "name": layout.POD_NETWORK,
        "plugins": [
            {
                "type": "bridge",
                "bridge": layout.POD_BRIDGE,
                "isGateway": True,
                "hairpinMode": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.CNI_ADDRESSES),
                    "ranges": [[{"subnet": layout.POD_CIDR, "gateway": layout.POD_GATEWAY}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def kubelet() -> dict[str, object]:
    """Thresholds are as low as can be: a full disk of the machine must not evict test pods."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.NODE_ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certificates.certificate("ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "clusterDNS": [layout.DNS_ADDRESS],
        "clusterDomain": layout.CLUSTER_DOMAIN,
        "containerRuntimeEndpoint": f"unix://{layout.CONTAINERD_SOCKET}",
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
        },
        "failCgroupV1": False,
        "failSwapOn": False,
        "fileCheckFrequency": "1h",
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        "podCIDR": layout.POD_CIDR,
        "podLogsDir": str(layout.POD_LOGS),
        "resolvConf": str(RESOLV_CONF),
        "volumePluginDir": str(layout.KUBELET_ROOT / "volume-plugins"),
    }


def kube_proxy() -> dict[str, object]:
    """Node ports listen on the node's private address only."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": layout.NODE_ADDRESS,
        "clientConnection": {"kubeconfig": str(client("kube-proxy"))},
        "clusterCIDR": layout.POD_CIDR,
        "conntrack": {"maxPerCore": 0, "min": 0},
        "healthzBindAddress": "127.0.0.1:10256",
        "hostnameOverride": layout.NODE_NAME,
        "metricsBindAddress": "127.0.0.1:10249",
        "mode": "iptables",
        "nodePortAddresses": [f"{layout.NODE_ADDRESS}/32"],
    }
