"""For every test on real parts. It also makes this folder importable: pulumi_stack is for all.

Tests that measure, and those that end the machine's cluster, need the machine to themselves. The
others mostly wait, so with two processes (``--numprocesses 2``) they run side by side in two
groups that take about as long, each in its order.
"""

from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

FOLDER = Path(__file__).parent
SIDE_BY_SIDE = {
    "docker": "docker",
    "monitoring": "docker",
    "packaging": "docker",
    "kubernetes": "kubernetes",
    "regions": "kubernetes",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(FOLDER) and _folder(item.path) not in SIDE_BY_SIDE:
            item.add_marker(pytest.mark.alone)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    return _ByGroup(config, log)


class _ByGroup(LoadScopeScheduling):
    """Gives each process the tests of one group."""

    def _split_scope(self, nodeid: str) -> str:
        folder = _folder(self.config.rootpath / nodeid.partition("::")[0])
        return SIDE_BY_SIDE.get(folder, "alone")


def _folder(path: Path) -> str:
    return path.relative_to(FOLDER).parts[0]
