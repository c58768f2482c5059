"""The balancer under test: its address and how clients connect to it."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import httpx

from kato_balancing.headers import (
    REVEAL_REQUEST_HEADER,
    REVEAL_REQUEST_VALUE,
    REVEAL_RESPONSE_HEADER,
)
from kato_balancing.verify.options import OptionError

HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True)
class Target:
    """One balancer. Make it with :meth:`at`, which checks the address."""

    base: str
    """``http://host:port/prefix`` without a slash at its end."""
    timeout: float
    """Seconds that one request may take."""
    server_header: str
    """Response header in which the balancer names the server that answered."""
    ca_file: str | None

    @classmethod
    def at(
        cls,
        url: str,
        *,
        timeout: float = 30.0,
        server_header: str = REVEAL_RESPONSE_HEADER,
        ca_file: str | None = None,
    ) -> "Target":
        """The balancer at ``url``; raises :class:`OptionError` when that is not its address."""
        cure = "use an address such as http://127.0.0.1:8080"
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise OptionError("url", f"{url!r} is not an address ({error})", cure) from error
        if parsed.userinfo:
            # The address is not repeated here, since messages end in logs.
            raise OptionError("url", "must not carry a user name or a password", cure)
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise OptionError("url", f"{url!r} does not begin with http:// and a host", cure)
        if parsed.port is not None and not 0 < parsed.port <= HIGHEST_PORT:
            raise OptionError("url", f"{url!r} names a port that is not from 1 to 65535", cure)
        if parsed.query or parsed.fragment or url.endswith(("?", "#")):
            raise OptionError("url", f"{url!r} must end with the host or a path prefix", cure)
        target = cls(str(parsed).rstrip("/"), timeout, server_header, ca_file)
        try:
            _ = target.tls
        except (OSError, ssl.SSLError) as error:
            raise OptionError(
                "ca_file", f"{ca_file!r} cannot be read as PEM ({error})", "name a PEM file"
            ) from error
        return target

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Certificates are always verified; made once, since reading the authorities is slow."""
        if self.base.startswith("http:") and self.ca_file is None:
            # Never used; without authorities it would trust nobody.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return ssl.create_default_context(cafile=self.ca_file)

    def address(self, path: str) -> str:
        """The full address of ``path``, kept byte by byte (also ``//sessions/...``)."""
        # Not httpx's base_url: that merges slashes.
        return self.base + path

    def client(self, connections: int, *, kept: int | None = None) -> httpx.AsyncClient:
        """A client with at most ``connections`` connections that keeps ``kept`` of them open.

        ``kept`` is all of them by default; with 0 every request opens a connection of its own.
        """
        return httpx.AsyncClient(
            verify=self.tls,
            timeout=httpx.Timeout(self.timeout),
            limits=httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections if kept is None else kept,
                # The other side decides how long a connection may idle: that is what is tested.
                keepalive_expiry=None,
            ),
            headers={REVEAL_REQUEST_HEADER: REVEAL_REQUEST_VALUE},
            follow_redirects=False,
            # A proxy named in the environment would stand between us and the balancer.
            trust_env=False,
        )

    @asynccontextmanager
    async def single_clients(self, count: int) -> AsyncIterator[list[httpx.AsyncClient]]:
        """``count`` clients with one kept connection each.

        A single client with many connections looks through all of them for every request, which
        takes longer than the request itself.
        """
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.client(1)) for _ in range(count)]
