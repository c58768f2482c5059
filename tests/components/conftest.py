"""What every component test needs: inputs that are accepted, and a check of refusals."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from recording import Recording, attempt

Refusal = list[tuple[str, str]]


@pytest.fixture
def refusal_of() -> Callable[[Callable[[], Any]], Refusal]:
    """The properties that a program's error names, with their reasons; fails when the program
    raises anything else, or registers anything before."""

    def refused(program: Callable[[], Any]) -> Refusal:
        recording = Recording(preview=False)
        with pytest.raises(pulumi.InputPropertiesError) as caught:
            attempt(program, recording)
        assert [resource.name for resource in recording.resources] == []
        assert caught.value.errors
        return [(error["property_path"], error["reason"]) for error in caught.value.errors]

    return refused
