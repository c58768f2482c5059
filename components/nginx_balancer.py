"""NginxBalancer: an nginx container in front of any list of servers."""

from typing import ClassVar, Optional

import pulumi

from .balancer_container import balancer_container
from .balancer_inputs import BalancerArgs, BalancerInputs
from .balancer_programs import NGINX, Program
from .inputs import checked


class _Inputs(BalancerInputs):
    program: ClassVar[Program] = NGINX


class NginxBalancer(pulumi.ComponentResource):
    """nginx with a rendered configuration. A change of its rules, servers or certificate is tested
    and reloaded; only a new image, port or process option replaces the container."""

    url: pulumi.Output[str]
    """Where clients on the Docker host reach KATO."""

    def __init__(
        self, name: str, args: BalancerArgs, opts: Optional[pulumi.ResourceOptions] = None
    ) -> None:
        inputs = check(args)
        super().__init__(NGINX.component, name, {}, opts)
        self.url = balancer_container(
            name,
            inputs,
            parent=self,
        )
        self.register_outputs({"url": self.url})


def check(args: BalancerArgs) -> _Inputs:
    """The inputs with every default; raises InputPropertiesError when one is refused; creates
    nothing. Servers that are not known yet are checked when they are."""
    return checked(_Inputs, args).checked()
