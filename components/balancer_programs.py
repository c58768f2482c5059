"""The programs that can be the balancer: how each is run, and how it takes its configuration."""

from dataclasses import dataclass
from typing import Protocol

from kato_balancing import haproxy, images, nginx, targets
from kato_balancing.model import Balancer
from kato_balancing.problems import Problem

from .inputs import attributed, refuse

FOLDER = "/etc/kato"
CURRENT = f"{FOLDER}/current"
"""The files in use, as the balancer sees them."""

CERTIFICATE, KEY = "tls.crt", "tls.key"
"""Names of the TLS files beside the configuration."""


_HAND_OVER = """\
{
  accepting() {
    sockets=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null \\
      | awk '$4 == "0A" { print "socket:[" $10 "]" }')
    [ -z "$sockets" ] || for process in /proc/[0-9]*; do
      [ "$process" = /proc/1 ] || ! ls -l "$process/fd" 2>/dev/null | grep -qF "$sockets" \\
        || echo "$process"
    done
  }
  old=$(accepting)
  kill -SIGNAL 1
  waits=0
  while [ -n "$old" ] && [ $waits -lt 200 ] && accepting | grep -qxF "$old"; do
    waits=$((waits + 1)); sleep 0.1
  done
  [ $waits -lt 200 ]
}"""
"""Tells process 1 to take its files, and waits until no process of before accepts connections: a
signal is sent at once, but a busy machine may go on by the old rules for seconds. Where a process
may not look at the others, it does not wait. ``0A`` is a socket that listens."""


class Renderer(Protocol):
    """A module that renders the model for one program."""

    HEALTH_PATH: str
    """Answered on the private port while the program runs."""

    def render(self, balancer: Balancer, version: targets.Version) -> str:
        """The program's configuration; raises UnsupportedFeature."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A balancer program."""

    component: str
    """Type of the component that runs it."""
    renderer: Renderer
    image: str
    """Image that runs it by default."""
    file: str
    """Name of its configuration file in CURRENT."""
    test: str
    """Shell command that fails when the files in CURRENT can't be used."""
    run: str
    """Shell command that runs the program in the foreground."""
    reload: str
    """Shell command that makes the running program, which is process 1, take the files; done when
    it has."""
    stop_signal: str
    """Ends the program after the requests in flight."""

    def version(self, stated: str | None, image: str, path: str) -> targets.Version:
        """The version to render for: the stated one, else what the image's tag says. Raises
        InputPropertiesError for the input at ``path``."""
        if stated is not None:
            return attributed(path, lambda: targets.parse_version(stated))
        found = images.parse(image).version
        if found is None:
            example = images.parse(self.image).tag
            rule = f"is required when the image's tag states none, for example {example}"
            raise refuse([Problem(path, rule)])
        return found


_NGINX = f"nginx -e /dev/stderr -c {CURRENT}/nginx.conf"
NGINX = Program(
    component="kato:index:NginxBalancer",
    renderer=nginx,
    # First stable nginx with every fix that a balancer on the open network needs.
    image="nginx:1.30.4",
    file="nginx.conf",
    test=f"{_NGINX} -t",
    run=f"{_NGINX} -g 'daemon off;'",
    reload=_HAND_OVER.replace("SIGNAL", "HUP"),
    stop_signal="SIGQUIT",
)

HAPROXY = Program(
    component="kato:index:HaproxyBalancer",
    renderer=haproxy,
    # Long-term release whose table of learned sessions outlives a reload.
    image="haproxy:3.2",
    file="haproxy.cfg",
    # A warning is a refusal: HAProxy starts with files that lose their affinity.
    test=f"haproxy -c -dW -f {CURRENT}/haproxy.cfg",
    run=f"haproxy -W -db -f {CURRENT}/haproxy.cfg",
    reload=_HAND_OVER.replace("SIGNAL", "USR2"),
    stop_signal="SIGUSR1",
)

PROGRAMS = {"nginx": NGINX, "haproxy": HAPROXY}
"""By the name that settings have for them."""
