"""KATO behind HAProxy on one machine; a scale-out moves no live session."""

import pulumi
from kato_pulumi import HaproxyBalancer, KatoBackend, KatoDataStores

config = pulumi.Config()

stores = KatoDataStores("stores", {"redis": {"image": config.require("redisImage")}})
backend = KatoBackend(
    "kato",
    {
        "image": config.require("katoImage"),
        "replicas": 3,
        "stores": {"environment": stores.environment, "network": stores.network},
    },
)
balancer = HaproxyBalancer(
    "balancer",
    {
        "servers": backend.servers,
        "network": stores.network,
        "image": config.require("haproxyImage"),
        "publish": {"port": config.require_int("port")},
        # reveal_servers lets `kato-lb verify` tell who answered.
        "rules": {"learned": {}, "reveal_servers": True},
    },
)

pulumi.export("url", balancer.url)
