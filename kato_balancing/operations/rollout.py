"""A gradual rollout: one share after the other, back to none when the canary is worse.

The stack's own settings say how far a rollout is, so one that was interrupted goes on from there,
and every step is a deployment: what runs is what the settings say.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from kato_balancing.fields import CanaryMode
from kato_balancing.operations.stack import Setting, StackError, Tell

LEAD_SECONDS: Final = 180
"""With NEW_SESSIONS a step begins this long after it was written: by then every balancer has it."""

_POLL_SECONDS: Final = 5.0
_TELL_SECONDS: Final = 30.0

SILENT_SECONDS: Final = 60
"""A canary that nobody can watch for this long is taken back: four scrapes."""


class RolloutError(RuntimeError):
    """A rollout can't begin, and nothing was changed; says what to do."""


class FiguresError(RuntimeError):
    """The pools' figures can't be had; says why."""


class Deployed(Protocol):
    """What a rollout asks of a stack."""

    def setting(self, name: str) -> Any:
        """A setting as data."""

    def configure(self, settings: Mapping[str, Setting | None]) -> None:
        """Change settings; None takes one out."""

    def up(self, *, tell: Tell) -> None:
        """Deploy; returns when the balancers and the stable replicas run what was deployed."""

    def canary_lag(self) -> str | None:
        """Which of the canary's replicas don't run what was deployed; None when all do. Raises
        StackError."""


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """What a pool answered in a time."""

    requests: float
    errors: float
    """Answers of 500 and above."""
    p95: float | None
    """Seconds that 95 % of the requests did not exceed; None without requests."""
    p50: float | None = None
    p99: float | None = None

    @property
    def error_percent(self) -> float:
        """Errors of 100 requests."""
        return 100 * self.errors / self.requests if self.requests else 0.0


class Figures(Protocol):
    """Where both pools' figures come from."""

    def read(self, seconds: float) -> tuple[PoolFigures, PoolFigures]:
        """Stable and canary, over the last seconds. Raises FiguresError."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on a canary is worse."""

    error_points: float = 1.0
    """Percentage points by which its errors may exceed the stable pool's."""
    latency_ratio: float = 1.5
    """Times by which its p95 may exceed the stable pool's."""
    requests: int = 50
    """Requests to the canary without which nothing is decided."""

    def __post_init__(self) -> None:
        for name, number, least in (
            ("points of errors", self.error_points, 0),
            ("times of the latency", self.latency_ratio, 1),
            ("requests that a verdict needs", self.requests, 1),
        ):
            if not (math.isfinite(number) and number >= least):
                raise RolloutError(f"the {name} must be {least} or more (got {number:g})")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rollout does."""

    shares: tuple[float, ...] = (5, 25, 50, 100)
    """Percent of the sessions, rising."""
    hold: float = 300
    """Seconds that a share is watched before the next one."""
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not all(0 < share <= 100 for share in self.shares):
            raise RolloutError(f"shares are above 0 and at most 100 (got {self.shares})")
        if not self.shares or list(self.shares) != sorted(set(self.shares)):
            raise RolloutError(f"the shares must rise (got {self.shares}); for example 5,25,50,100")
        if not 0 < self.hold < math.inf:
            raise RolloutError(f"a share must be held for some seconds (got {self.hold:g})")

    def from_share(self, now: float) -> tuple[float, ...]:
        """The shares that are still to come; the one that is deployed is watched again. Raises
        RolloutError when there are none."""
        coming = tuple(share for share in self.shares if share >= now)
        if not coming:
            raise RolloutError(
                f"the canary has {now:g} % already, more than the last step; give larger steps, "
                "or take it back first with --back"
            )
        return coming


class Verdict(StrEnum):
    """How a step ended."""

    GOOD = "good"
    WORSE = "worse"
    UNDECIDED = "undecided"
    UNWATCHED = "unwatched"


@dataclass(frozen=True, slots=True)
class Step:
    """A share and what was seen of it."""

    share: float
    at: float
    """Seconds from the beginning of the rollout until the share applied."""
    seconds: float
    stable: PoolFigures
    canary: PoolFigures
    verdict: Verdict
    why: str


def judge(stable: PoolFigures, canary: PoolFigures, limits: Limits) -> tuple[Verdict, str]:
    """What the figures say of the canary."""
    if canary.requests < limits.requests:
        return (
            Verdict.UNDECIDED,
            f"{canary.requests:.0f} requests to the canary, {limits.requests} are needed",
        )
    more = canary.error_percent - stable.error_percent
    if more > limits.error_points:
        return (
            Verdict.WORSE,
            f"{canary.error_percent:.1f} % errors, the stable version has "
            f"{stable.error_percent:.1f} %: more than {limits.error_points:g} points above",
        )
    if canary.p95 is not None and stable.p95 and canary.p95 > limits.latency_ratio * stable.p95:
        return (
            Verdict.WORSE,
            f"p95 {1000 * canary.p95:.0f} ms, the stable version has {1000 * stable.p95:.0f} ms: "
            f"more than {limits.latency_ratio:g} times",
        )
    return (
        Verdict.GOOD,
        f"{canary.requests:.0f} requests, {canary.error_percent:.1f} % errors "
        f"(stable {stable.error_percent:.1f} %)",
    )


@dataclass(slots=True)
class Rollout:
    """One rollout of a stack's canary."""

    stack: Deployed
    figures: Figures
    plan: Plan
    tell: Tell
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    steps: list[Step] = field(default_factory=list, init=False)
    """What was seen so far; kept when a deployment fails."""

    def run(self, image: str | None = None) -> None:
        """Every step until the last share, or until one is worse or can't be watched, which takes
        the canary back, or undecided, which leaves it. ``image`` replaces the canary's in the
        settings.

        Raises RolloutError before anything was changed, StackError when a deployment fails or the
        stack can't be asked.
        """
        canary = canary_of(self.stack, image)
        coming = self.plan.from_share(share_of(canary))
        self._require_figures()
        if image is not None:
            self.stack.configure({"canary.image": image})
        began = self.clock()
        for share in coming:
            self._deploy(share)
            last = self._watch(share, began)
            self.steps.append(last)
            self.tell(f"{share:g} %: {last.verdict}: {last.why}")
            if last.verdict in (Verdict.WORSE, Verdict.UNWATCHED):
                take_back(self.stack, self.tell)
            if last.verdict is not Verdict.GOOD:
                break

    @property
    def good(self) -> bool:
        """True when every step was."""
        return all(step.verdict is Verdict.GOOD for step in self.steps)

    def _deploy(self, share: float) -> None:
        canary = canary_of(self.stack)
        begins = self.clock()
        if share_of(canary) != share:
            self.tell(f"{share:g} %: deploying")
            begins = self._write(share, canary)
        _up(
            self.stack, self.tell,
            f"The settings say {share:g} %; run the same again to go on, or take the canary back "
            "with --back.",
        )  # fmt: skip
        late = begins - self.clock()
        if late > 0:
            self.tell(f"{share:g} %: counts for sessions that are born in {late:.0f} s and later")
            self.sleep(late)

    def _write(self, share: float, canary: Mapping[str, Any]) -> float:
        """Set the share; when it begins to count."""
        if canary.get("mode") != CanaryMode.NEW_SESSIONS:
            self.stack.configure({"canary.share": _number(share)})
            return self.clock()
        begins = self.clock() + LEAD_SECONDS
        settings: dict[str, Setting | None] = {}
        if "since" in canary:
            place = f"canary.earlier[{len(canary.get('earlier', ()))}]"
            settings[f"{place}.since"] = int(canary["since"])
            settings[f"{place}.share"] = _number(float(canary["share"]))
        settings |= {"canary.since": int(begins * 1000), "canary.share": _number(share)}
        self.stack.configure(settings)
        return begins

    def _require_figures(self) -> None:
        try:
            self.figures.read(_POLL_SECONDS)
        except FiguresError as error:
            raise RolloutError(f"{error}; nothing was changed") from error

    def _watch(self, share: float, began: float) -> Step:
        started = heard = told = self.clock()
        stable = canary = PoolFigures(0, 0, None)
        while True:
            self.sleep(min(_POLL_SECONDS, self.plan.hold))
            now = self.clock()
            seconds = now - started
            try:
                stable, canary = self.figures.read(seconds)
            except FiguresError as error:
                verdict, why = Verdict.UNWATCHED, str(error)
                over = now - heard >= SILENT_SECONDS
            else:
                verdict, why = judge(stable, canary, self.plan.limits)
                over, heard = verdict is Verdict.WORSE, now
            over = over or seconds >= self.plan.hold
            if over and verdict is Verdict.GOOD and (lag := self.stack.canary_lag()):
                # The answers were those of its old image.
                verdict, why = Verdict.UNDECIDED, lag
            if over:
                return Step(share, started - began, seconds, stable, canary, verdict, why)
            if now - told >= _TELL_SECONDS:
                told = now
                self.tell(f"{share:g} %: {seconds:.0f} of {self.plan.hold:g} s: {why}")


def canary_of(stack: Deployed, image: str | None = None) -> Mapping[str, Any]:
    """The stack's canary, with ``image`` unless that is None.

    Raises RolloutError when there is none, or when sessions are with another image: ``image``
    would have all of them at once.
    """
    found = stack.setting("canary")
    canary = {**found} if isinstance(found, Mapping) else {}
    if "image" not in canary and image is None:
        raise RolloutError(
            "the stack has no canary: pulumi config set --path canary.image IMAGE, or give --image"
        )
    if image is None:
        return canary
    if share_of(canary) and canary.get("image") != image:
        raise RolloutError(
            f"{share_of(canary):g} % of the sessions are with {canary.get('image')}; take them "
            f"back first with --back, so that {image} begins with few"
        )
    return {**canary, "image": image}


def share_of(canary: Mapping[str, Any]) -> float:
    """Percent of the sessions that a canary has."""
    return float(canary.get("share", 0))


def take_back(stack: Deployed, tell: Tell) -> None:
    """Give every session back to the stable version. Raises StackError when that can't be
    deployed."""
    tell("taking the canary back: 0 %")
    stack.configure(
        {"canary.mode": None, "canary.since": None, "canary.earlier": None, "canary.share": 0}
    )
    _up(
        stack, tell,
        "The settings say 0 %, but the canary may still have its share; correct the cause and run "
        "'kato-lb rollout --back'.",
    )  # fmt: skip


def promote(stack: Deployed, tell: Tell) -> None:
    """Make the canary's image the stable version's and remove the canary; it serves until the
    stable replicas run the image. Raises StackError when a deployment fails."""
    image = canary_of(stack)["image"]
    tell(f"the stable version gets {image}")
    stack.configure({"katoImage": image})
    _up(
        stack, tell,
        f"The settings have {image} as katoImage, and the canary serves on; correct the cause and "
        "run the same again.",
    )  # fmt: skip
    take_back(stack, tell)
    tell("the canary's replicas go")
    stack.configure({"canary": None})
    _up(
        stack, tell,
        "The settings have no canary any more, and no session is with it; 'pulumi up' removes it.",
    )  # fmt: skip


def _up(stack: Deployed, tell: Tell, what_now: str) -> None:
    try:
        stack.up(tell=tell)
    except StackError as error:
        raise StackError(f"{error}\n{what_now}") from error


def _number(share: float) -> str | int:
    return int(share) if float(share).is_integer() else f"{share:g}"


def described(plan: Plan, canary: Mapping[str, Any]) -> Sequence[str]:
    """The plan in words, for a dry run. Raises RolloutError when no share is to come."""
    share, limits = share_of(canary), plan.limits
    return [
        f"canary {canary['image']}, now at {share:g} %, {canary.get('mode', 'ALL_SESSIONS')}",
        *(f"{one:g} % for {plan.hold:g} s" for one in plan.from_share(share)),
        f"back to 0 % when errors are more than {limits.error_points:g} points above the stable "
        f"version's, or p95 more than {limits.latency_ratio:g} times",
    ]
