"""Replace replicas one after another, each drained before and healthy after."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from kato_balancing.operations.drain import Clock, Replicas, drain, require_known, undo
from kato_balancing.operations.report import OperationError, ReplicaReport
from kato_balancing.operations.stack import StackError, Tell


class ReplaceableReplicas(Replicas, Protocol):
    """Replicas that can be replaced."""

    def replace(self, name: str, tell: Tell) -> None:
        """Replace the replica by a new one; returns when that is healthy."""


def replace(
    replicas: ReplaceableReplicas,
    names: Sequence[str],
    *,
    limit: float,
    tell: Tell,
    clock: Clock = time,
) -> Iterator[ReplicaReport]:
    """Replace these, those that are marked first: a run that failed left them so. Each serves
    again before the next is drained, for up to ``limit`` seconds.

    Raises OperationError at the first step that fails. A replica that does not get idle is given
    its work back; one whose replacement failed stays marked, and the others serve.
    """
    require_known(replicas, names)
    marked = replicas.draining()
    order = sorted(dict.fromkeys(names), key=lambda name: name not in marked)
    for at, name in enumerate(order):
        go_on = f"correct that, then 'kato-lb replace {' '.join(order[at:])}' goes on"
        try:
            yield _one(replicas, name, limit=limit, tell=tell, clock=clock)
        except (StackError, OperationError) as error:
            raise OperationError(f"{error}\n{go_on}") from None


def _one(
    replicas: ReplaceableReplicas, name: str, *, limit: float, tell: Tell, clock: Clock
) -> ReplicaReport:
    try:
        drained = drain(replicas, name, limit=limit, tell=tell, clock=clock)
    except OperationError:
        undo(replicas, name, tell)
        raise
    started = clock.monotonic()
    tell(f"{name}: replaced")
    try:
        replicas.replace(name, tell)
    except StackError as error:
        problem = f"{name} was not replaced; it gets no work, and the others serve"
        raise OperationError(f"{problem}.\n{error}") from None
    healthy = clock.monotonic() - started
    undo(replicas, name, tell)
    return dataclasses.replace(drained, healthy_seconds=healthy)
