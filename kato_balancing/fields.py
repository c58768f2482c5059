"""Field types of the model: what a value may look like, so that it can be written into any file.

Every text that reaches a rendered configuration has one of these types: an allow-list of
characters per kind of text, not a list of forbidden ones.
"""

import ipaddress
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from kato_balancing import images


class Frozen(BaseModel):
    """Strict (no text taken for a number), immutable, and no unknown field passes."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True
    )


def refused(message: str) -> PydanticCustomError:
    """An error with a message that states the rule and the cure."""
    # As a placeholder's value the message may hold braces.
    return PydanticCustomError("kato", "{message}", {"message": message})


def refused_at(title: str, rules: Iterable[tuple[tuple[str, ...], str]]) -> ValidationError:
    """The error for fields that are sound alone but not together: location and message each.

    Raised in a model's validator, it is reported under the fields' own paths.
    """
    details = [
        InitErrorDetails(type=refused(message), loc=location, input=None)
        for location, message in rules
    ]
    return ValidationError.from_exception_data(title, details)


def _matching(pattern: str, rule: str) -> Any:
    form = re.compile(pattern)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise refused(f"must be {rule} (got {_short(value)})")
        return value

    return AfterValidator(check)


def _short(value: str) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


ListOf = BeforeValidator(_as_tuple)
"""Takes a list where the model holds a tuple."""

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]

ServerName = Annotated[
    str,
    _matching(
        r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
        "1 to 63 lower-case letters, digits and inner hyphens",
    ),
]

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?")


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value)) if "%" not in value else _bad_host(value)
    except ValueError:
        pass
    # A last label that is a number makes resolvers read an address, each its own way.
    number = re.search(r"(?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?\Z", value)
    if number or not _HOST_NAME.fullmatch(value):
        return _bad_host(value)
    return value


def _bad_host(value: str) -> str:
    raise refused(
        "must be a host name (letters, digits, hyphens, dots) or an IP address, "
        f"without port or scheme (got {_short(value)})"
    )


Host = Annotated[str, AfterValidator(_host)]


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise refused(f"must be an IP address (got {_short(value)})") from None


IpAddress = Annotated[str, AfterValidator(_address)]


def _image(value: str) -> str:
    try:
        images.parse(value)
    except ValueError as error:
        raise refused(str(error)) from None
    return value


ImageReference = Annotated[str, AfterValidator(_image)]

UrlPath = Annotated[
    str,
    _matching(
        r"/[A-Za-z0-9._~/-]{0,254}",
        "a path that starts with / and has letters, digits and . _ ~ - / only",
    ),
]
FilePath = Annotated[
    str,
    _matching(
        r"/[A-Za-z0-9._/-]{1,254}",
        "an absolute file path of letters, digits and . _ - /",
    ),
]
CookieName = Annotated[
    str, _matching(r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, underscores and hyphens")
]
ServiceName = Annotated[
    str, _matching(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "a port name such as http")
]


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise refused(f"must be a network such as 10.0.0.0/8 ({error})") from None


Network = Annotated[str, AfterValidator(_network)]


def choice(kind: type[StrEnum]) -> Any:
    """A field that takes a member of ``kind``, its name or its value."""

    def convert(value: Any) -> Any:
        if isinstance(value, kind) or not isinstance(value, str):
            return value
        for member in kind:
            if value in (member.name, member.value):
                return member
        known = ", ".join(member.value for member in kind)
        raise refused(f"must be one of {known} (got {_short(value)})")

    return BeforeValidator(convert)


class Affinity(StrEnum):
    """How a request that belongs to a session finds the server that owns the session."""

    SESSION = "SESSION"
    """Consistent hash on the session id of the path, else on the X-Session-ID header."""
    CLIENT_IP = "CLIENT_IP"
    """Hash on the client's address; every client behind one proxy is one client."""
    COOKIE = "COOKIE"
    """A cookie that the balancer sets; clients without a cookie jar have no affinity."""
    NONE = "NONE"
    """No affinity: overlapping writes to one session are lost."""


class Balancing(StrEnum):
    """How requests without an owner are spread."""

    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_CONNECTIONS = "LEAST_CONNECTIONS"


class CanaryMode(StrEnum):
    """Which sessions a canary may get."""

    ALL_SESSIONS = "ALL_SESSIONS"
    """A share of all sessions, live ones too: a larger share moves some of them, once."""
    NEW_SESSIONS = "NEW_SESSIONS"
    """A share of the sessions that are born from a time on: no live session moves."""


class SameSite(StrEnum):
    """When a browser sends the cookie to another site's page."""

    LAX = "lax"
    STRICT = "strict"
    NONE = "none"


AffinityField = Annotated[Affinity, choice(Affinity)]
BalancingField = Annotated[Balancing, choice(Balancing)]
CanaryModeField = Annotated[CanaryMode, choice(CanaryMode)]
SameSiteField = Annotated[SameSite, choice(SameSite)]
