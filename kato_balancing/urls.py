"""URLs as settings: what one may look like, so that it can be written into any file."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, TypeAdapter, ValidationError

from kato_balancing.fields import Host, UrlPath, refused
from kato_balancing.hosts import bracketed, is_address

DEFAULT_PORTS = {"http": 80, "https": 443}

_ORIGIN = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?(/.*)?")
_HOST: TypeAdapter[str] = TypeAdapter(Host)
_PATH: TypeAdapter[str] = TypeAdapter(UrlPath)


def _parts(value: str) -> tuple[str, str]:
    """Origin and path. Raises the refusal of a text that is no such URL."""
    found = _ORIGIN.fullmatch(value)
    port = int(found[3]) if found and found[3] else 1
    try:
        if found is None or not 1 <= port <= 65535:
            raise ValueError(value)
        _HOST.validate_python(found[2].strip("[]"))
        if found[4]:
            _PATH.validate_python(found[4])
    except (ValidationError, ValueError):
        raise refused(
            "must be a URL such as https://kato.example.com:8443: http or https, a host, a port "
            "if need be; no user, query or fragment"
        ) from None
    return value.removesuffix(found[4] or ""), found[4] or ""


def _origin(value: str) -> str:
    origin, path = _parts(value)
    if path not in ("", "/"):
        raise refused("must be a URL without a path: the request's own is kept")
    return origin


def _page(value: str) -> str:
    origin, path = _parts(value)
    return origin + (path or "/")


Origin = Annotated[str, AfterValidator(_origin)]
"""Scheme, host and perhaps a port; a slash at the end is dropped."""

PageUrl = Annotated[str, AfterValidator(_page)]
"""The URL of one page, without a query."""


def scheme(url: str) -> str:
    """``http`` or ``https``."""
    return urlsplit(url).scheme


def host(url: str) -> str:
    """The host, an IPv6 address without brackets."""
    return urlsplit(url).hostname or ""


def authority(url: str) -> str:
    """The host as a client puts it into its Host header."""
    return urlsplit(url).netloc


def port(url: str) -> int:
    """The port, the scheme's own where none is given."""
    parts = urlsplit(url)
    return parts.port or DEFAULT_PORTS[parts.scheme]


def endpoint(url: str) -> str:
    """Host and port, the scheme's own where none is given."""
    return f"{bracketed(host(url))}:{port(url)}"


def is_named(url: str) -> bool:
    """True when the host is a name that somebody has to look up."""
    return not is_address(host(url))
