"""HaproxyBalancer: a HAProxy container in front of any list of servers."""

from typing import ClassVar, Optional

import pulumi

from .balancer_container import balancer_container
from .balancer_inputs import BalancerArgs, BalancerInputs
from .balancer_programs import HAPROXY, Program
from .inputs import checked


class _Inputs(BalancerInputs):
    program: ClassVar[Program] = HAPROXY


class HaproxyBalancer(pulumi.ComponentResource):
    """HAProxy with a rendered configuration: it probes the servers, queues what they can't take
    yet, and has its runtime socket inside the container only. A change of its rules, servers or
    certificate is tested and reloaded."""

    url: pulumi.Output[str]
    """Where clients on the Docker host reach KATO."""

    def __init__(
        self, name: str, args: BalancerArgs, opts: Optional[pulumi.ResourceOptions] = None
    ) -> None:
        inputs = check(args)
        super().__init__(HAPROXY.component, name, {}, opts)
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
