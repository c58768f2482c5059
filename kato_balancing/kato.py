"""Facts about KATO that balancing must respect; each number of KATO's stands here once.

Sources: KATO's ``Dockerfile`` and settings (release 3.10.1) and the upstream changelog up to 6.3.0.
"""

PORT = 8000
"""KATO's only port; fixed in the image's command."""

KEEP_ALIVE_SECONDS = 5.0
"""``--timeout-keep-alive``: KATO closes a connection that is idle for longer."""

GRACEFUL_SHUTDOWN_SECONDS = 30.0
"""``--timeout-graceful-shutdown``: requests in flight at SIGTERM are cut after this time."""

FLUSH_SECONDS = 5.0
"""Margin after the last request for KATO's pending writes; a kill before it loses them."""

CONNECTION_LIMIT = 500
"""``KATO_LIMIT_CONCURRENCY`` that this project sets; the image's own default of 100 is too low
behind a balancer, because idle connections count."""

SESSION_TTL_SECONDS = 3600
"""``SESSION_TTL``; extended at every access."""

SESSION_TTL_RANGE = (60, 86400)
"""Values outside stop KATO at start."""

HEALTH_PATH = "/health"
"""200 while the process answers, whatever its stores do; GET only (HEAD answers 405)."""

REDIS_CHECK_PATH = "/sessions/lb-probe/exists"
"""200 only when Redis answers, 500 when it refuses; no side effect."""

PROMETHEUS_PATH = "/metrics-prom"
"""Figures of one process in Prometheus' form, from 3.10.2 on; ``/metrics`` is JSON."""

WEBSOCKET_PATH = "/ws/events"

SESSION_ID_CLASS = "[A-Za-z0-9_-]{1,128}"
"""Characters of a session id in a path; wider than KATO's own form, without slash or dot."""

RESERVED_SESSION_WORDS = ("count", "test")
"""Second path segments under ``/sessions/`` that are calls of their own, not sessions."""

PRIVATE_PATHS = (
    "/status",  # shows the Redis URL with its password
    "/docs",
    "/redoc",
    "/openapi.json",
    "/metrics",
    PROMETHEUS_PATH,
    "/stats",
    "/cache",
    "/connection-pools",
    "/concurrency",
    "/distributed-stm",
)
"""Paths that say more than a client should know; KATO has no authentication."""

IMAGE = "ghcr.io/sevakavakians/kato:6.3.0"
"""Default image."""

MINIMUM_VERSION = (5, 0, 2)
"""Older releases can dead-lock on two sessions of one node while predictions are on."""

ADVISED_VERSION = (5, 2, 0)
"""Older releases rank predictions with stale statistics after another replica has learned."""
