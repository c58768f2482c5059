"""The balancing model's groups as component inputs, field by field (see kato_balancing.model)."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi


class BalancedServer(TypedDict):
    """One KATO replica as the balancer sees it."""

    name: pulumi.Input[str]
    """Stable identity: the replica keeps it over restarts and new addresses."""
    host: pulumi.Input[str]
    """Name or address to connect to."""
    port: NotRequired[pulumi.Input[int]]
    """Defaults to 8000."""
    weight: NotRequired[pulumi.Input[int]]
    """Share of the load against the other servers, 1 to 100. Defaults to 1."""
    backup: NotRequired[pulumi.Input[bool]]
    """Serves only while every primary server is down. Defaults to false."""
    draining: NotRequired[pulumi.Input[bool]]
    """Gets no new work. Defaults to false."""


class PassiveHealthSettings(TypedDict):
    """Failures seen while serving put a server aside."""

    failures: NotRequired[int]
    """Failures that put it aside. Defaults to 2."""
    window: NotRequired[float]
    """Seconds over which they count, and for which it is left alone. Defaults to 5."""


class ActiveHealthSettings(TypedDict):
    """Probes by the balancer itself; HAProxy only."""

    path: NotRequired[str]
    """Defaults to "/health"."""
    interval: NotRequired[float]
    """Seconds between probes of a server that is up. Defaults to 1."""
    interval_failing: NotRequired[float]
    """Seconds, while a server changes from up to down or back. Defaults to 0.2."""
    interval_down: NotRequired[float]
    """Seconds, of a server that is down. Defaults to 0.5."""
    timeout: NotRequired[float]
    """Seconds that a probe may take. Defaults to 1."""
    rise: NotRequired[int]
    """Good probes that bring a server back. Defaults to 2."""
    fall: NotRequired[int]
    """Bad probes that take it out. Defaults to 2."""


class HealthSettings(TypedDict):
    """How the balancer finds out that a server does not serve."""

    passive: NotRequired[PassiveHealthSettings]
    """Failures seen while serving."""
    active: NotRequired[ActiveHealthSettings]
    """Probes. nginx's open-source edition has none; HAProxy always probes. Defaults to none."""


class LearnedSettings(TypedDict):
    """A table of who owns which live session, so that a scale-out moves none of them."""

    capacity: NotRequired[int]
    """Live sessions that the table holds. Defaults to 64000."""
    timeout: NotRequired[float]
    """Seconds after which an idle session is forgotten. Defaults to 7200."""


class CookieSettings(TypedDict):
    """The cookie of COOKIE affinity: HttpOnly always, Secure with TLS."""

    name: NotRequired[str]
    """Defaults to "kato_route"."""
    max_age: NotRequired[float]
    """Seconds. Defaults to none: until the browser closes."""
    same_site: NotRequired[str]
    """lax, strict or none. Defaults to lax."""


class ListenerSettings(TypedDict):
    """Whom the balancer believes."""

    trusted_proxies: NotRequired[Sequence[str]]
    """Networks whose X-Forwarded-For counts. Defaults to none."""


class LimitSettings(TypedDict):
    """What keeps KATO below its connection limit."""

    balancers: NotRequired[int]
    """Balancers in front of the same servers. Defaults to 1."""
    workers: NotRequired[int]
    """Balancer processes. Defaults to 2."""
    requests: NotRequired[int]
    """Requests in flight; more are answered 503. Defaults to all that KATO's limit leaves."""
    websockets: NotRequired[int]
    """WebSocket connections. Defaults to 50."""
    reserve: NotRequired[int]
    """Connections of a KATO process left to health checks. Defaults to 8."""
    body_megabytes: NotRequired[int]
    """Largest request body. Defaults to 100."""


class KeepAliveSettings(TypedDict):
    """Idle connections to the servers."""

    connections: NotRequired[int]
    """Kept per balancer process. Defaults to 64, shared by the balancers, within a third of KATO's
    connection limit."""
    idle: NotRequired[float]
    """Seconds; must be below KATO's own 5. Defaults to 4."""


class TimeoutSettings(TypedDict):
    """How long the balancer waits, in seconds."""

    connect: NotRequired[float]
    """Defaults to 1."""
    send: NotRequired[float]
    """Between two writes. Defaults to 60."""
    read: NotRequired[float]
    """Between two reads. Defaults to 300: observe-sequence runs for minutes."""
    websocket: NotRequired[float]
    """Defaults to 3600."""
    client_idle: NotRequired[float]
    """Defaults to 75."""


class RetrySettings(TypedDict):
    """Another server is tried only when nothing was sent or the request is idempotent."""

    tries: NotRequired[int]
    """Defaults to 3."""
    window: NotRequired[float]
    """Seconds after which no further server is tried. Defaults to 10."""


class DrainSettings(TypedDict):
    """How the balancer itself stops, in seconds."""

    seconds: NotRequired[float]
    """For requests in flight. Defaults to 35."""
    keep_alive: NotRequired[float]
    """Idle clients are kept this long at a reload. Defaults to 10."""


class RegionSettings(TypedDict):
    """The region of a balancer: sessions of others are sent there, never looked for here."""

    name: str
    """This region's name, as in the handles that clients keep."""
    others: Mapping[str, str]
    """Name and public URL of the other regions."""
    answer: NotRequired[str]
    """REDIRECT (307) or PROXY, for requests that name another region. Defaults to REDIRECT."""
    authorities: NotRequired[str]
    """With PROXY: file of the certificate authorities in the image. Defaults to
    /etc/ssl/certs/ca-certificates.crt."""


class BalancerRules(TypedDict):
    """The rules of a balancer, whichever program runs them."""

    affinity: NotRequired[str]
    """SESSION, CLIENT_IP, COOKIE or NONE. Defaults to SESSION: consistent hash on the session's
    id."""
    learned: NotRequired[LearnedSettings]
    """With SESSION: live sessions stay where they are at a scale-out. Defaults to none."""
    cookie: NotRequired[CookieSettings]
    """With COOKIE. Defaults to a session cookie named kato_route."""
    listener: NotRequired[ListenerSettings]
    """Whom the balancer believes."""
    balancing: NotRequired[str]
    """ROUND_ROBIN or LEAST_CONNECTIONS, for requests without an owner. Defaults to
    ROUND_ROBIN."""
    health: NotRequired[HealthSettings]
    """How failing servers are found."""
    limits: NotRequired[LimitSettings]
    """What keeps KATO below its connection limit."""
    keep_alive: NotRequired[KeepAliveSettings]
    """Idle connections to the servers."""
    timeouts: NotRequired[TimeoutSettings]
    """How long the balancer waits."""
    retry: NotRequired[RetrySettings]
    """When another server is tried."""
    drain: NotRequired[DrainSettings]
    """How the balancer itself stops."""
    region: NotRequired[RegionSettings]
    """Defaults to none: a request's region is not looked at."""
    private_paths: NotRequired[Sequence[str]]
    """Paths answered 404. Defaults to those that show KATO's insides, such as /status."""
    access_log: NotRequired[bool]
    """One JSON object a request. Defaults to true."""
    reveal_servers: NotRequired[bool]
    """Name the answering server when a request asks with "X-Kato-Reveal: server". Shows internal
    addresses. Defaults to false."""
