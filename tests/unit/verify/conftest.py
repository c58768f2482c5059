"""One server for all fake balancers of these tests."""

import pytest
from fake_balancer import STAGE

from kato_balancing.verify import sessions


@pytest.fixture(scope="session", autouse=True)
def _stage():
    with STAGE.open():
        yield


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(sessions, "PAUSE_BETWEEN_READS", 0.0)
