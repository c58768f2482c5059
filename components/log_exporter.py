"""The exporter of the balancer's log, wherever it runs: its image, its socket, its arguments."""

from collections.abc import Sequence

from kato_balancing import nginx
from kato_balancing.model import Listener
from kato_balancing.monitoring.exporter.server_names import NamedServer

IMAGE = "kato-lb/kato-exporter:0.1.0"
"""No registry has it; docs/monitoring.md tells how it is built."""

FOLDER = "/run/kato-log"
SOCKET = f"{FOLDER}/socket"
"""Where the log goes, as the balancer and the exporter see it."""

PORT = 9102
METRICS_PATH = "/metrics"

PRIVATE_PORT = Listener().private_port
"""Where the balancer's own figures are; no component takes another one."""


def arguments(
    *, proxy: str, balancer: str, connection_limit: int, servers: Sequence[NamedServer]
) -> list[str]:
    """Arguments of ``kato-lb export`` beside a balancer that runs ``proxy`` on the host
    ``balancer``."""
    words = ["--socket", SOCKET, "--listen", f"0.0.0.0:{PORT}"]
    words += ["--connection-limit", str(connection_limit)]
    if proxy == "nginx":
        words += ["--status", f"http://{balancer}:{PRIVATE_PORT}{nginx.STATUS_PATH}"]
    return [*words, *(word for server in servers for word in ("--server", str(server)))]
