"""Options that no check could use are refused with the option, the rule and the cure."""

import math

import pytest

from kato_balancing.verify import CheckName, OptionError, VerifyOptions
from kato_balancing.verify.target import Target


def test_defaults_are_valid_and_leave_the_slow_check_out():
    assert VerifyOptions().checks == ("reachability", "affinity", "overlap")


def test_checks_run_once_each_and_in_their_own_order():
    options = VerifyOptions(checks=("overlap", "affinity", "overlap"))  # type: ignore[arg-type]
    assert options.checks == (CheckName.AFFINITY, CheckName.OVERLAP)


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("checks", {"checks": ()}),
        ("checks", {"checks": ("speed",)}),
        ("sessions", {"sessions": 0}),
        ("sessions", {"sessions": 1}),
        ("writers", {"writers": 0}),
        ("writers", {"writers": 1}),
        ("observations", {"observations": 0}),
        ("observations", {"observations": 40_000}),
        ("observations", {"observations": 79}),
        ("server_header", {"server_header": "X Kato"}),
        ("server_header", {"server_header": ""}),
        ("keep_alive_rounds", {"keep_alive_rounds": 1}),
        ("keep_alive_rounds", {"keep_alive_rounds": 1_000}),
        ("keep_alive_connections", {"keep_alive_connections": 0}),
        ("keep_alive_interval", {"keep_alive_interval": -1}),
        ("timeout", {"timeout": 0}),
        ("timeout", {"timeout": math.nan}),
        ("timeout", {"timeout": math.inf}),
    ],
)
def test_unusable_values_are_refused(option, values):
    with pytest.raises(OptionError) as refused:
        VerifyOptions(**values)
    assert refused.value.option == option
    assert refused.value.rule
    assert refused.value.cure


def test_as_many_observations_as_a_session_remembers_are_allowed():
    VerifyOptions(sessions=2, observations=2 * 999)


def test_the_cure_for_too_many_observations_is_itself_allowed():
    with pytest.raises(OptionError, match="at least 41 sessions or at most 39960 observations"):
        VerifyOptions(observations=40_000)
    VerifyOptions(observations=40_000, sessions=41)
    VerifyOptions(observations=39_960)


def test_one_session_is_enough_for_overlap_alone():
    VerifyOptions(checks=(CheckName.OVERLAP,), sessions=1, observations=40)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:99999999",
        "http://127.0.0.1/?a=1",
        "http://127.0.0.1/#a",
        "",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(OptionError, match=r"url: .*use an address such as"):
        Target.at(url)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(OptionError) as refused:
        Target.at("http://me:secret@127.0.0.1")
    assert "secret" not in str(refused.value)


def test_a_missing_authority_file_is_refused(tmp_path):
    with pytest.raises(OptionError, match="ca_file"):
        Target.at("https://127.0.0.1", ca_file=str(tmp_path / "none.pem"))


def test_a_file_that_is_no_authority_is_refused(tmp_path):
    text = tmp_path / "text.pem"
    text.write_text("text")
    with pytest.raises(OptionError, match="ca_file"):
        Target.at("https://127.0.0.1", ca_file=str(text))


def test_a_prefix_is_kept_and_its_last_slash_is_not():
    target = Target.at("http://127.0.0.1:8080/kato/")
    assert target.address("//sessions/a") == "http://127.0.0.1:8080/kato//sessions/a"
