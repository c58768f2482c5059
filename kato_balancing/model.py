"""What a balancer is: servers, affinity, balancing, health, limits, timeouts, drain.

The model is validated once, when it is made, and immutable from then on. Defaults follow from
KATO's own facts (``kato.py``). Times are seconds.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from kato_balancing import invariants, kato
from kato_balancing.fields import (
    Affinity,
    AffinityField,
    Balancing,
    BalancingField,
    CanaryMode,
    CanaryModeField,
    CookieName,
    Count,
    FilePath,
    Frozen,
    Host,
    ListOf,
    Network,
    Port,
    SameSite,
    SameSiteField,
    Seconds,
    ServerName,
    ServiceName,
    UrlPath,
    refused,
    refused_at,
)
from kato_balancing.problems import InvalidInput, from_validation
from kato_balancing.regions import Region

SocketPath = Annotated[FilePath, Field(max_length=100)]
"""The kernel takes no longer paths of sockets."""


class KatoProcess(Frozen):
    """KATO's own numbers, as the replicas behind the balancer run it."""

    workers: Count = 1
    """Processes per replica (``KATO_WORKERS``). The session lock lives in one process."""
    connection_limit: Annotated[int, Field(ge=8, le=65535)] = kato.CONNECTION_LIMIT
    """Open connections a process accepts (``KATO_LIMIT_CONCURRENCY``), idle ones included; the
    last one is refused with 503."""
    keep_alive: Seconds = kato.KEEP_ALIVE_SECONDS
    """KATO closes a connection that was idle for this long."""
    graceful_shutdown: Seconds = kato.GRACEFUL_SHUTDOWN_SECONDS
    """Time that requests in flight get after SIGTERM."""
    session_ttl: Annotated[
        int, Field(ge=kato.SESSION_TTL_RANGE[0], le=kato.SESSION_TTL_RANGE[1])
    ] = kato.SESSION_TTL_SECONDS
    """Life of an idle session (``SESSION_TTL``)."""


class Server(Frozen):
    """One KATO replica as the balancer sees it."""

    name: ServerName
    """Stable identity: the same replica keeps its name over restarts and new addresses."""
    host: Host
    """Name or address to connect to."""
    port: Port = kato.PORT
    weight: Annotated[int, Field(ge=1, le=100)] = 1
    """Share of the load against the other servers."""
    backup: bool = False
    """Serves only while every primary server is down."""
    draining: bool = False
    """Gets no new work; what is in flight ends."""


class Discovery(Frozen):
    """Servers found by a DNS SRV name instead of a list."""

    name: Host
    service: ServiceName = "http"
    """The port's name in the SRV record."""


class Pool(Frozen):
    """Servers that are interchangeable but for the sessions they own: a list or a discovery."""

    servers: Annotated[tuple[Server, ...], ListOf, Field(max_length=256)] = ()
    discovery: Discovery | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if bool(self.servers) == (self.discovery is not None):
            raise refused("needs either servers, at least one, or discovery, not both")
        for field in ("name", "address"):
            seen: dict[object, int] = {}
            for index, server in enumerate(self.servers):
                key = server.name if field == "name" else (server.host, server.port)
                if key in seen:
                    raise refused(
                        f"servers[{seen[key]}] and servers[{index}] have the same {field} "
                        f"({server.name if field == 'name' else f'{server.host}:{server.port}'}); "
                        "each server needs its own"
                    )
                seen[key] = index
        if self.servers and not self.primaries:
            raise refused("has no primary server; at least one must be neither backup nor draining")
        return self

    @property
    def primaries(self) -> tuple[Server, ...]:
        """The servers that take new work in ordinary times."""
        return tuple(s for s in self.servers if not s.backup and not s.draining)

    @property
    def backups(self) -> tuple[Server, ...]:
        """The servers that serve when no primary does."""
        return tuple(s for s in self.servers if s.backup)

    def scaled_weights(self, factor: int, heaviest: int) -> dict[str, int]:
        """Weight of every server by its name, times ``factor``, or times less where a weight would
        be above ``heaviest``: all together, so that they keep their ratios."""
        fits = heaviest // max(server.weight for server in self.servers)
        return {server.name: server.weight * min(factor, fits) for server in self.servers}


Share = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
"""Percent of the sessions."""

Birth = Annotated[int, Field(ge=10**12, lt=10**13)]
"""When a session was made, in milliseconds since 1970: KATO writes it at the end of its id."""


class CanaryStep(Frozen):
    """A share of the sessions that are born from a time on."""

    since: Birth
    """Every balancer must have the step by then, or sessions that are born meanwhile move once."""
    share: Share


class Canary(Frozen):
    """A second pool that gets a share of the sessions."""

    pool: Pool
    share: Share
    """Percent of the sessions; raising it never moves a session back. Calls without a session
    follow it too."""
    mode: CanaryModeField = CanaryMode.ALL_SESSIONS
    since: Birth | None = None
    """NEW_SESSIONS: from which birth on ``share`` counts."""
    earlier: Annotated[tuple[CanaryStep, ...], ListOf] = ()
    """NEW_SESSIONS: the steps before, oldest first; their sessions stay where they are."""

    @model_validator(mode="after")
    def _steps(self) -> Self:
        if self.mode is CanaryMode.ALL_SESSIONS:
            for name in ("since", "earlier"):
                if getattr(self, name):
                    rule = "means something with mode NEW_SESSIONS only; remove it"
                    raise refused_at("Canary", [((name,), rule)])
        elif self.since is None:
            rule = "is needed with mode NEW_SESSIONS: the birth from which on sessions count"
            raise refused_at("Canary", [(("since",), rule)])
        times = [step.since for step in self.steps]
        if times != sorted(set(times)):
            rule = "must be in the order of time and before since"
            raise refused_at("Canary", [(("earlier",), rule)])
        return self

    @property
    def steps(self) -> tuple[CanaryStep, ...]:
        """Every step of NEW_SESSIONS, oldest first; none with ALL_SESSIONS."""
        if self.since is None:
            return ()
        return (*self.earlier, CanaryStep(since=self.since, share=self.share))

    def share_at(self, birth: int | None) -> float:
        """Percent that counts for a session of this birth; None: its id tells none."""
        if not self.steps:
            return self.share
        born = (step.share for step in reversed(self.steps) if birth and birth >= step.since)
        return next(born, 0)


class LearnedSessions(Frozen):
    """A table of who owns which live session, so that a scale-out moves none of them."""

    capacity: Count = 64_000
    """Live sessions that the table holds before it forgets the oldest."""
    timeout: Seconds = 7200
    """A session that was idle for longer is forgotten."""


class Cookie(Frozen):
    """The cookie of COOKIE affinity: always HttpOnly, never with a backend's address in it."""

    name: CookieName = "kato_route"
    max_age: Seconds | None = None
    """None: until the browser closes."""
    same_site: SameSiteField = SameSite.LAX


class PassiveHealth(Frozen):
    """Failures seen while serving put a server aside for a while."""

    failures: Count = 2
    window: Seconds = 5
    """Failures are counted over this time, and the server is left alone for as long."""


class ActiveHealth(Frozen):
    """Probes by the balancer itself."""

    path: UrlPath = kato.HEALTH_PATH
    interval: Seconds = 1
    interval_failing: Seconds = 0.2
    """While a server changes from up to down or back."""
    interval_down: Seconds = 0.5
    timeout: Seconds = 1
    rise: Count = 2
    fall: Count = 2


class Health(Frozen):
    """How the balancer finds out that a server does not serve."""

    passive: PassiveHealth = PassiveHealth()
    active: ActiveHealth | None = None
    """None: no probes by the balancer."""


class Limits(Frozen):
    """What keeps KATO below its connection limit, however the load falls."""

    balancers: Count = 1
    """Balancer instances in front of the same servers."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Balancer processes; idle connections are kept per process."""
    requests: Count | None = None
    """Requests in flight through one balancer; more are answered 503, because sending them to a
    server that does not own their session loses updates. None: all that KATO's limit leaves."""
    websockets: Annotated[int, Field(ge=0, le=10_000)] = 50
    """WebSocket connections through one balancer."""
    reserve: Annotated[int, Field(ge=0, le=1000)] = 8
    """Connections of a KATO process left to health checks."""
    body_megabytes: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Largest request body."""


class KeepAlive(Frozen):
    """Idle connections to the servers."""

    connections: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Kept per balancer process, over all servers of a pool. None: 64, shared by the balancers,
    as long as that is less than a third of KATO's connection limit."""
    idle: Seconds = 4
    """Closed by the balancer after this time; below KATO's own, or a POST meets a closed door."""


class Timeouts(Frozen):
    """How long the balancer waits."""

    connect: Seconds = 1
    send: Seconds = 60
    """Between two writes to a server."""
    read: Seconds = 300
    """Between two reads from a server; observe-sequence runs for minutes."""
    websocket: Seconds = 3600
    client_idle: Seconds = 75
    """A client's connection is closed after this time without a request."""


class Retry(Frozen):
    """Another server is tried only when nothing was sent, or the request is idempotent: a POST
    that was sent is never repeated."""

    tries: Annotated[int, Field(ge=1, le=20)] = 3
    window: Seconds = 10
    """No further server is tried after this time."""


class Drain(Frozen):
    """How the balancer itself stops or takes a new configuration."""

    seconds: Seconds = kato.GRACEFUL_SHUTDOWN_SECONDS + kato.FLUSH_SECONDS
    """Requests in flight get this long."""
    keep_alive: Seconds | None = None
    """Idle client connections are kept open for at least this long during a reload. None: 10
    where the server can, else not at all."""

    @property
    def keep_clients(self) -> float:
        """``keep_alive`` with its default."""
        return 10.0 if self.keep_alive is None else self.keep_alive


class Tls(Frozen):
    """TLS towards the clients; files as the balancer sees them."""

    certificate: FilePath
    key: FilePath


class Listener(Frozen):
    """Where clients connect, and where operators do."""

    port: Port = 8080
    private_port: Port = 8081
    """Health and status of the balancer itself; never published."""
    trusted_proxies: Annotated[tuple[Network, ...], ListOf] = ()
    """Networks whose X-Forwarded-For is believed; empty: the connection's own address counts."""


class Resolver(Frozen):
    """The DNS server that the balancer asks again while it runs."""

    address: Host | None = None
    """None: the machine's own, from its resolv.conf; HAProxy only."""
    valid: Seconds = 1
    """An answer is used for this long."""
    timeout: Seconds = 2
    forget: Seconds | None = None
    """A server whose name is gone gets nothing new after this time. None: 30, HAProxy's own; nginx
    forgets it with the next answer."""


class Balancer(Frozen):
    """A balancer in front of KATO."""

    pool: Pool
    process: KatoProcess = KatoProcess()
    affinity: AffinityField = Affinity.SESSION
    balancing: BalancingField = Balancing.ROUND_ROBIN
    learned: LearnedSessions | None = None
    cookie: Cookie | None = None
    canary: Canary | None = None
    health: Health = Health()
    limits: Limits = Limits()
    keep_alive: KeepAlive = KeepAlive()
    timeouts: Timeouts = Timeouts()
    retry: Retry = Retry()
    drain: Drain = Drain()
    tls: Tls | None = None
    listener: Listener = Listener()
    resolver: Resolver | None = None
    """None: names are looked up once, when the balancer starts."""
    region: Region | None = None
    """None: a request's region is not looked at."""
    private_paths: Annotated[tuple[UrlPath, ...], ListOf] = kato.PRIVATE_PATHS
    """Answered 404 by the balancer, with everything below them."""
    access_log: bool = True
    """One JSON object a request, with its session and the servers that were tried."""
    log_socket: SocketPath | None = None
    """UNIX datagram socket that gets the same lines, whatever access_log says, and what the
    balancer says of its servers. Nobody need listen: no request waits for it. None: no copy."""
    reveal_servers: bool = False
    """Name the answering server in a response header when the request asks for it; shows
    internal addresses to whoever can ask."""

    @property
    def cookie_rules(self) -> Cookie:
        """``cookie`` with its defaults."""
        return self.cookie or Cookie()

    @model_validator(mode="after")
    def _relations(self) -> Self:
        broken = invariants.of_balancer(self)
        if broken:
            raise refused_at("Balancer", ((rule.location, rule.message) for rule in broken))
        return self

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """The balancer that plain data describes. Raises InvalidInput, which lists every
        problem by its field's path with the rule and the cure."""
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise InvalidInput(from_validation(error)) from None
