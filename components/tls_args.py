"""TLS at the balancer as a component input."""

from typing import TypedDict

import pulumi


class TlsFiles(TypedDict):
    """TLS towards the clients. A new certificate reaches the running balancer by a reload."""

    certificate: pulumi.Input[str]
    """The certificate and its chain, PEM."""
    key: pulumi.Input[str]
    """The private key, PEM; treated as a secret."""
