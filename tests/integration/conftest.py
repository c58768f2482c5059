"""For every test on real parts. It also makes this folder importable: pulumi_stack is for all.

Tests that measure, and those that end the machine's cluster, need the machine to themselves. The
others mostly wait, so those on Docker and those on Kubernetes run side by side: two groups for
`pytest --numprocesses 2 --dist loadgroup`.
"""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SIDE_BY_SIDE = {
    "docker": "docker",
    "monitoring": "docker",
    "packaging": "docker",
    "regions": "docker",
    "kubernetes": "kubernetes",
}


# Before xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(FOLDER):
            continue
        group = SIDE_BY_SIDE.get(item.path.relative_to(FOLDER).parts[0])
        item.add_marker(pytest.mark.xdist_group(group) if group else pytest.mark.alone)
