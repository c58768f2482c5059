"""How a client behaves: every number in one place."""

from dataclasses import dataclass, field

from kato_balancing import kato
from kato_balancing.client._health_state import HealthSettings
from kato_balancing.client.breaker import BreakerSettings
from kato_balancing.client.instances import Program
from kato_balancing.client.weighting import WeightingSettings


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings of a client; the defaults suit KATO. Times are seconds."""

    deadline: float = 30.0
    """A call takes at most this long, all its attempts, pauses and checks included."""
    long_deadline: float = 300.0
    """The same for observe-sequence, finalize-training and predictions, which may run for minutes
    (6,000 observations take about 100 s, measured); the balancer's read timeout."""
    connect: float = 1.0
    """For a connection; the balancer's connect timeout."""
    attempts: int = 4
    """Times that a call is sent, at most."""
    backoff: float = 0.05
    """First pause between attempts, full jitter, doubled each time ..."""
    backoff_cap: float = 1.0
    """... up to this; a Retry-After header may ask for more."""
    settle: float = 0.25
    """Pause between the proof that a cut-off write can no longer run and the read that tells
    whether it ran."""
    reserve: float = 0.25
    """Part of a write's time that is kept for finding out what happened to it, 2 s at most."""
    retry_share: float = 0.2
    """Repeats per call in the long run ..."""
    retry_reserve: float = 50.0
    """... and how many may come at once."""
    hedge: float | None = None
    """Ask a second instance when a cheap read has no answer after this time; None: never."""
    steer: int = 12
    """Sessions drawn until one belongs to an instance that is quick enough; the others are deleted
    again. An instance that does not serve gets none however long that takes. 1: take the
    first."""
    hold: float = kato.GRACEFUL_SHUTDOWN_SECONDS + kato.FLUSH_SECONDS
    """A write without an answer counts as over after this time when its instance refuses
    connections (a KATO that stops ends its requests first), when the instance has answered behind
    it and the session still does not show it, or when a balancer hides the instance."""
    program: Program = "nginx"
    """The balancer whose placement is followed."""
    through_balancer: bool = False
    """The instances are balancers: they place the sessions, and nothing can be known of KATO's
    processes."""
    check_health: bool = True
    """Check the instances in the background while the client is open."""
    health: HealthSettings = field(default_factory=HealthSettings)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    weighting: WeightingSettings = field(default_factory=WeightingSettings)
    connections: int = 100
    """To each instance, most; KATO refuses above its own limit, idle ones counted."""
    keep_alive: float = 4.0
    """Idle connections are closed after this time: KATO closes them after 5 s, and a write on a
    connection that is just being closed is cut off."""

    def __post_init__(self) -> None:
        for name in ("deadline", "long_deadline", "connect", "attempts", "steer", "connections",
                     "keep_alive", "hold"):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if not 0 <= self.reserve < 1:
            raise ValueError(f"reserve must be from 0 to below 1, not {self.reserve}")
        if self.keep_alive >= kato.KEEP_ALIVE_SECONDS:
            raise ValueError(
                f"keep_alive must be below KATO's own {kato.KEEP_ALIVE_SECONDS:g} s, or writes "
                f"meet closed connections (got {self.keep_alive:g}); use 4"
            )
