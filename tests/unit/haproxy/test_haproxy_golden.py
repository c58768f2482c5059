"""The rendered files, byte by byte (see conftest for how to write them again)."""

import pytest
from sample_haproxy import BOTH, MATRIX, NEWER, VERSIONS

from kato_balancing import haproxy
from kato_balancing.model import Balancer


@pytest.mark.parametrize(("name", "version"), MATRIX)
def test_the_file_is_the_one_that_was_read_and_kept(name, version, golden):
    model = Balancer.of({**BOTH, **NEWER}[name])

    golden(f"{name}-{version}.cfg", haproxy.render(model, VERSIONS[version]))
