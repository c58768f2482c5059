"""Pulumi components that run KATO behind a load balancer.

Each component is imported when it is first asked for: a stack on Docker does not load the
Kubernetes SDK, which takes longer than the rest of a preview.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .balancer_inputs import BalancerArgs
    from .data_stores import KatoDataStores, KatoDataStoresArgs
    from .geo_dns import GeoDns
    from .geo_dns_args import GeoDnsArgs
    from .geo_dns_on_kubernetes import GeoDnsOnKubernetes, GeoDnsOnKubernetesArgs
    from .haproxy_balancer import HaproxyBalancer
    from .kato_backend import KatoBackend, KatoBackendArgs
    from .kato_k8s_stack import KatoK8sStack, KatoK8sStackArgs
    from .kato_monitoring import KatoMonitoring, KatoMonitoringArgs
    from .nginx_balancer import NginxBalancer

__all__ = [
    "BalancerArgs",
    "GeoDns",
    "GeoDnsArgs",
    "GeoDnsOnKubernetes",
    "GeoDnsOnKubernetesArgs",
    "HaproxyBalancer",
    "KatoBackend",
    "KatoBackendArgs",
    "KatoDataStores",
    "KatoDataStoresArgs",
    "KatoK8sStack",
    "KatoK8sStackArgs",
    "KatoMonitoring",
    "KatoMonitoringArgs",
    "NginxBalancer",
]

_MODULES = {
    "BalancerArgs": "balancer_inputs",
    "GeoDns": "geo_dns",
    "GeoDnsArgs": "geo_dns_args",
    "GeoDnsOnKubernetes": "geo_dns_on_kubernetes",
    "GeoDnsOnKubernetesArgs": "geo_dns_on_kubernetes",
    "HaproxyBalancer": "haproxy_balancer",
    "KatoBackend": "kato_backend",
    "KatoBackendArgs": "kato_backend",
    "KatoDataStores": "data_stores",
    "KatoDataStoresArgs": "data_stores",
    "KatoK8sStack": "kato_k8s_stack",
    "KatoK8sStackArgs": "kato_k8s_stack",
    "KatoMonitoring": "kato_monitoring",
    "KatoMonitoringArgs": "kato_monitoring",
    "NginxBalancer": "nginx_balancer",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
