"""Servers by the name that they keep, where nginx's log has their present addresses."""

import socket
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

REFRESH_SECONDS = 5.0
"""A server that comes back with a new address has its name again after this time."""

_FIRST_LOOKUP_SECONDS = 3.0
_LOOKUPS_AT_ONCE = 32


@dataclass(frozen=True)
class NamedServer:
    """A server of the balancer's pool."""

    name: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "NamedServer":
        """``NAME=HOST:PORT``, an IPv6 address in brackets; raises ValueError with the rule."""
        name, _, address = text.partition("=")
        host, _, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not name or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"must be NAME=HOST:PORT, such as kato-0=10.0.0.11:8000 (got {text})")
        return cls(name, host, int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name}={host}:{self.port}"

    def addresses(self) -> list[str]:
        """``address:port`` of where it is now; nothing while its name is not known."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return []
        hosts = {str(address[4][0]) for address in found}
        return [f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}" for host in hosts]


class ServerNames:
    """Names by address. An address whose server went away keeps the name until another has it."""

    def __init__(self, servers: Iterable[NamedServer]) -> None:
        self._servers = tuple(servers)
        self._by_address: dict[str, str] = {}

    @property
    def known(self) -> tuple[str, ...]:
        """Every name, in the order given."""
        return tuple(server.name for server in self._servers)

    @property
    def by_address(self) -> Mapping[str, str]:
        """``address:port`` as nginx writes it → name."""
        return self._by_address

    def of(self, peer: str) -> str:
        """The name of what a log calls so: itself when it has no other."""
        return self._by_address.get(peer, peer)

    def start(self) -> None:
        """Look every name up, for at most three seconds, then again and again in the background."""
        if not self._servers:
            return
        first = threading.Event()
        threading.Thread(target=self._keep_fresh, args=(first,), daemon=True).start()
        first.wait(_FIRST_LOOKUP_SECONDS)

    def refresh(self, pool: ThreadPoolExecutor) -> None:
        """Look every name up once; each counts as soon as it is known."""
        lookups = {pool.submit(server.addresses): server for server in self._servers}
        for done in as_completed(lookups):
            for address in done.result():
                self._by_address[address] = lookups[done].name

    def _keep_fresh(self, first: threading.Event) -> None:
        pause = threading.Event()
        with ThreadPoolExecutor(min(_LOOKUPS_AT_ONCE, len(self._servers))) as pool:
            while True:
                self.refresh(pool)
                first.set()
                pause.wait(REFRESH_SECONDS)
