"""A balancer in front of KATO servers of your own: every session stays on one of them."""

import pulumi
from kato_pulumi import NginxBalancer

config = pulumi.Config()

balancer = NginxBalancer(
    "balancer",
    {
        # The name is the server's place; the address may change.
        "servers": [
            {"name": f"kato-{place}", "host": address}
            for place, address in enumerate(config.require_object("servers"))
        ],
        "image": config.require("nginxImage"),
        "publish": {"port": config.require_int("port")},
        "rules": {"reveal_servers": True},
    },
)

pulumi.export("url", balancer.url)
