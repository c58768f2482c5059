"""NginxBalancer: an nginx container in front of any list of servers."""

from typing import ClassVar, Optional

import pulumi

from kato_balancing import nginx

from .balancer_container import balancer_container
from .balancer_inputs import BalancerArgs, BalancerInputs, Renderer
from .inputs import checked
from .live_configuration import CURRENT, Program

IMAGE = "nginx:1.30.4"
"""First stable nginx with every fix that a balancer on the open network needs."""

_FILE = "nginx.conf"
_ARGUMENTS = f"-e /dev/stderr -c {CURRENT}/{_FILE}"
_PROGRAM = Program(
    test=f"nginx {_ARGUMENTS} -t",
    run=f"nginx {_ARGUMENTS} -g 'daemon off;'",
    reload="kill -HUP 1",
    stop_signal="SIGQUIT",
)


class _Inputs(BalancerInputs):
    default_image: ClassVar[str] = IMAGE
    renderer: ClassVar[Renderer] = nginx


class NginxBalancer(pulumi.ComponentResource):
    """nginx with a rendered configuration. A change of its rules, servers or certificate is tested
    and reloaded; only a new image, port or process option replaces the container."""

    url: pulumi.Output[str]
    """Where clients on the Docker host reach KATO."""

    def __init__(
        self, name: str, args: BalancerArgs, opts: Optional[pulumi.ResourceOptions] = None
    ) -> None:
        inputs = check(args)
        super().__init__("kato:index:NginxBalancer", name, {}, opts)
        self.url = balancer_container(
            name,
            inputs,
            program=_PROGRAM,
            file=_FILE,
            health_path=nginx.HEALTH_PATH,
            parent=self,
        )
        self.register_outputs({"url": self.url})


def check(args: BalancerArgs) -> _Inputs:
    """The inputs with every default; raises InputPropertiesError when one is refused; creates
    nothing. Servers that are not known yet are checked when they are."""
    return checked(_Inputs, args).checked()
