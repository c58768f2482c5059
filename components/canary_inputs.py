"""A canary's share of the sessions, as an input; the same wherever the canary runs."""

from collections.abc import Mapping
from typing import Any, TypedDict

from kato_balancing.fields import Frozen


class CanaryStage(TypedDict):
    """A share of the sessions that are born from a time on."""

    since: int
    """Milliseconds since 1970: every balancer must have the step by then."""
    share: float
    """Percent of these sessions, 0 to 100."""


class CanaryShare(Frozen):
    """What the model checks; here only the names are known."""

    share: float
    mode: str | None = None
    since: int | None = None
    earlier: Any = ()

    def model(self, pool: Mapping[str, Any]) -> dict[str, Any]:
        """As the model takes it; what was not given has the model's default."""
        given = self.model_dump(include=set(CanaryShare.model_fields), exclude_unset=True)
        return {**given, "pool": pool}
