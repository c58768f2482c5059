"""A host as it stands in a server's configuration: a name or an address."""

import ipaddress


def is_address(host: str) -> bool:
    """False for a name, which somebody has to look up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def bracketed(host: str) -> str:
    """The host as it stands before a port."""
    return f"[{host}]" if ":" in host else host
