"""HaproxyBalancer: a HAProxy container in front of any list of servers."""

from typing import ClassVar, Optional

import pulumi

from kato_balancing import haproxy

from .balancer_container import balancer_container
from .balancer_inputs import BalancerArgs, BalancerInputs, Renderer
from .inputs import checked
from .live_configuration import CURRENT, Program

IMAGE = "haproxy:3.2"
"""Long-term release whose table of learned sessions outlives a reload."""

_FILE = "haproxy.cfg"
_PROGRAM = Program(
    # A warning is a refusal: HAProxy starts with files that lose their affinity.
    test=f"haproxy -c -dW -f {CURRENT}/{_FILE}",
    run=f"haproxy -W -db -f {CURRENT}/{_FILE}",
    reload="kill -USR2 1",
    stop_signal="SIGUSR1",
)


class _Inputs(BalancerInputs):
    default_image: ClassVar[str] = IMAGE
    renderer: ClassVar[Renderer] = haproxy


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
        super().__init__("kato:index:HaproxyBalancer", name, {}, opts)
        self.url = balancer_container(
            name,
            inputs,
            program=_PROGRAM,
            file=_FILE,
            health_path=haproxy.HEALTH_PATH,
            parent=self,
        )
        self.register_outputs({"url": self.url})


def check(args: BalancerArgs) -> _Inputs:
    """The inputs with every default; raises InputPropertiesError when one is refused; creates
    nothing. Servers that are not known yet are checked when they are."""
    return checked(_Inputs, args).checked()
