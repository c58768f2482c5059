"""How a check tells that it moves on, without knowing who listens."""

from typing import Protocol


class Progress(Protocol):
    """Called as a step moves on; must return at once and not raise."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """``done`` of ``total`` parts of ``step`` are finished."""


def silent(step: str, done: int, total: int) -> None:
    """Tell nobody."""
    del step, done, total
