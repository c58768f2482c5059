"""Where the cluster lives: one folder and one set of addresses for the whole machine.

A machine runs one such cluster. The folder is short and outside every clone because the path of
a socket is limited to 107 characters and because all clones share what runs.
"""

from pathlib import Path

from dev.toolchain import places

HOME = Path("/var/lib/kato-lb-cluster")
LOCK = Path("/run/kato-lb-cluster.lock")
CERTIFICATES = HOME / "certificates"
CONFIGURATION = HOME / "configuration"
LOGS = HOME / "logs"
PROCESSES = HOME / "processes"
VOLUMES = HOME / "volumes"
OWNER = HOME / "owner"
BOOT = HOME / "boot"

CNI_CONFIGURATION = HOME / "cni" / "configuration"
CNI_ADDRESSES = HOME / "cni" / "addresses"
CNI_PLUGINS = Path("/usr/lib/cni")
CONTAINERD_ROOT = HOME / "containerd"
CONTAINERD_STATE = HOME / "run"
CONTAINERD_SOCKET = HOME / "run" / "containerd.sock"
KUBELET_ROOT = HOME / "kubelet"
POD_LOGS = HOME / "pod-logs"

KUBECONFIG = places.STATE / "kubeconfig"

NODE_NAME = "kato-lb-node"
NODE_BRIDGE = "kato-lb-node"
NODE_ADDRESS = "10.245.77.1"
POD_BRIDGE = "kato-lb-pods"
POD_NETWORK = "kato-lb"
POD_CIDR = "10.244.77.0/24"
POD_GATEWAY = "10.244.77.1"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"

API_PORT = 6443
API_URL = f"https://{NODE_ADDRESS}:{API_PORT}"
ETCD_PORT = 12379
ETCD_PEER_PORT = 12380
