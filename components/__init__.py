"""Pulumi components that run KATO behind a load balancer."""

from .data_stores import KatoDataStores, KatoDataStoresArgs
from .kato_backend import KatoBackend, KatoBackendArgs
from .nginx_balancer import NginxBalancer, NginxBalancerArgs

__all__ = [
    "KatoBackend",
    "KatoBackendArgs",
    "KatoDataStores",
    "KatoDataStoresArgs",
    "NginxBalancer",
    "NginxBalancerArgs",
]
