"""Pulumi components that run KATO behind a load balancer."""

from .balancer_inputs import BalancerArgs
from .data_stores import KatoDataStores, KatoDataStoresArgs
from .haproxy_balancer import HaproxyBalancer
from .kato_backend import KatoBackend, KatoBackendArgs
from .nginx_balancer import NginxBalancer

__all__ = [
    "BalancerArgs",
    "HaproxyBalancer",
    "KatoBackend",
    "KatoBackendArgs",
    "KatoDataStores",
    "KatoDataStoresArgs",
    "NginxBalancer",
]
