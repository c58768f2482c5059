"""``kato-lb export``: Prometheus metrics of the balancer whose log comes to a socket."""

import argparse
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kato_balancing.monitoring.exporter.log_socket import LogSocket, SocketError
from kato_balancing.monitoring.exporter.server_names import NamedServer, ServerNames
from kato_balancing.monitoring.exporter.session_table import SessionTable
from kato_balancing.monitoring.exporter.traffic import Traffic

STOPPED: Final = 0
FAILED: Final = 1
PORT: Final = 9102
"""Where the metrics are served by default."""

_IDLE_SECONDS = 1.0

_EPILOG: Final = """\
exit codes:
  0  stopped by a signal
  1  the socket or the port can't be used
  2  wrong arguments

The balancer sends its log to the socket when its settings have log_socket. HAProxy's own figures
are on its private port and not repeated here.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb export`` to ``parser``."""
    parser.description = "Serve Prometheus metrics of a balancer from its access log."
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--socket", required=True, type=Path, help="where the log comes in")
    parser.add_argument(
        "--listen",
        type=_address,
        default=("127.0.0.1", PORT),
        metavar="HOST:PORT",
        help=f"where the metrics are served (default 127.0.0.1:{PORT})",
    )
    parser.add_argument("--status", metavar="URL", type=_url, help="nginx's stub_status page")
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        dest="servers",
        metavar="NAME=HOST:PORT",
        type=_server,
        help="a server by name, for logs that have its address; may be repeated",
    )
    parser.add_argument(
        "--connection-limit",
        metavar="N",
        type=int,
        help="connections that one KATO process accepts",
    )


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Serve until a signal says stop."""
    if arguments.connection_limit is not None and arguments.connection_limit < 1:
        parser.error("--connection-limit must be positive")
    try:
        from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415 - optional

        from kato_balancing.monitoring.exporter.collector import (  # noqa: PLC0415 - needs it
            BalancerCollector,
        )
    except ImportError:
        return _failed(
            "prometheus_client is missing; install the extra 'metrics' "
            "(pip install 'kato-load-balancing[metrics]')"
        )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    names = ServerNames(arguments.servers)
    traffic, lock = Traffic(names, SessionTable()), threading.Lock()
    registry = CollectorRegistry()
    registry.register(
        BalancerCollector(
            traffic,
            lock,
            status_url=arguments.status,
            connection_limit=arguments.connection_limit,
        )
    )
    host, port = arguments.listen
    try:
        log = LogSocket(arguments.socket)
    except SocketError as error:
        return _failed(f"--socket: {error}")
    try:
        names.start()
        try:
            start_http_server(port, host, registry)
        except OSError as error:
            return _failed(f"--listen: {host}:{port} can't be used ({error}); give another")
        _count(traffic, lock, log, stop)
    finally:
        log.close()
    return STOPPED


def _count(traffic: Traffic, lock: threading.Lock, log: LogSocket, stop: threading.Event) -> None:
    while not stop.is_set():
        lines = list(log.lines(_IDLE_SECONDS))
        with lock:
            traffic.take(lines, time.monotonic())


def _failed(message: str) -> int:
    sys.stderr.write(f"kato-lb export: {message}\n")
    return FAILED


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"must be HOST:PORT, such as 0.0.0.0:{PORT} (got {text})")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _url(text: str) -> str:
    if urlsplit(text).scheme != "http":
        raise argparse.ArgumentTypeError(f"must start with http:// (got {text})")
    return text


def _server(text: str) -> NamedServer:
    try:
        return NamedServer.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
