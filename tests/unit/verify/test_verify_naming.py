"""Reading the header in which the balancer names its servers."""

import pytest

from kato_balancing.verify.naming import LONGEST_NAME, servers_named


@pytest.mark.parametrize(
    ("value", "servers"),
    [
        (None, ()),
        ("", ()),
        ("-", ()),
        ("kato-0", ("kato-0",)),
        ("kato-1, kato-0", ("kato-1", "kato-0")),
        ("10.0.0.1:8000 ,10.0.0.2:8000", ("10.0.0.1:8000", "10.0.0.2:8000")),
        ("10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80", ("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")),
        ("kato-0, -", ("kato-0",)),
    ],
)
def test_the_servers_in_the_order_they_were_tried(value, servers):
    assert servers_named(value) == servers


def test_a_hostile_name_cannot_reach_the_terminal():
    assert servers_named("\x1b[2Jkato") == ("?[2Jkato",)
    assert servers_named("k" * 10_000) == ("k" * LONGEST_NAME,)
