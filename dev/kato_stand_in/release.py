"""What a KATO release does differently, derived from its version number."""

from dataclasses import dataclass

DEFAULT_RELEASE = "6.3.0"

Version = tuple[int, int, int]


@dataclass(frozen=True)
class ReleaseProfile:
    """The behaviour of one KATO release."""

    version: Version
    workers_configurable: bool
    """KATO_WORKERS is read (otherwise there is one worker)."""
    request_limit: int | None
    """Requests, health checks included, after which the process exits."""
    graceful_shutdown_seconds: int | None
    """Time that requests in flight get after SIGTERM; None is no limit."""
    cors_credentials: bool
    prometheus: bool
    """GET /metrics-prom exists."""
    worker_pid_in_health: bool
    events_through_redis: bool
    """WebSocket events reach the clients of every process."""
    positive_recall_threshold: bool
    """RECALL_THRESHOLD must be greater than 0."""

    @property
    def name(self) -> str:
        """The version as it is written in a tag, for example 6.3.0."""
        return ".".join(str(part) for part in self.version)


def parse_version(text: str) -> Version:
    """Read "6", "6.3" or "6.3.0"; raise ValueError for anything else."""
    parts = text.split(".")
    if len(parts) > 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"not a release number: {text!r}")
    major, minor, patch = [int(part) for part in parts] + [0] * (3 - len(parts))
    return major, minor, patch


def profile_for(text: str) -> ReleaseProfile:
    """The profile of the release with this version number."""
    version = parse_version(text)
    return ReleaseProfile(
        version=version,
        workers_configurable=version >= (3, 10, 0),
        request_limit=10_000 if (3, 0, 0) <= version < (3, 5, 0) else None,
        graceful_shutdown_seconds=30 if version >= (3, 5, 0) else None,
        cors_credentials=version < (5, 1, 0),
        prometheus=version >= (3, 10, 2),
        worker_pid_in_health=version >= (5, 0, 0),
        events_through_redis=version >= (5, 0, 0),
        positive_recall_threshold=version >= (6, 0, 0),
    )
