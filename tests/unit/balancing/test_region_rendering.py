"""The region of a balancer in the files of both programs: placed where it must be, lint-clean."""

from typing import Any

import pytest

from kato_balancing import haproxy, nginx
from kato_balancing.lint import lint
from kato_balancing.model import Balancer
from kato_balancing.problems import InvalidInput

SERVERS = [{"name": f"kato-{i}", "host": f"192.0.2.{i}"} for i in range(1, 3)]
OTHERS = {"us": "https://192.0.2.78", "asia": "http://192.0.2.77:8080/"}
TARGETS = {
    "nginx-1.22": (nginx, (1, 22, 0)),
    "nginx-1.30": (nginx, (1, 30, 4)),
    "haproxy-2.6": (haproxy, (2, 6, 12)),
    "haproxy-3.2": (haproxy, (3, 2, 26)),
}


def balancer(**region: Any) -> Balancer:
    given = {"name": "eu", "others": OTHERS, **region}
    return Balancer.of({"pool": {"servers": SERVERS}, "region": given})


def rendered(target: str, **region: Any) -> str:
    program, version = TARGETS[target]
    return program.render(balancer(**region), version)


@pytest.mark.parametrize("answer", ["REDIRECT", "PROXY"])
@pytest.mark.parametrize("target", TARGETS)
def test_it_has_no_finding(target: str, answer: str) -> None:
    assert lint(rendered(target, answer=answer)) == []


@pytest.mark.parametrize("target", TARGETS)
def test_private_paths_are_answered_before_regions_are_looked_at(target: str) -> None:
    text = rendered(target)

    private = {"nginx": "if ($kato_private)", "haproxy": "if kato_private"}
    hidden = text.index(private[target.partition("-")[0]])
    assert hidden < text.index("return 421" if "nginx" in target else "status 421")


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_of_it_is_in_a_file_without_a_region(target: str) -> None:
    program, version = TARGETS[target]
    plain = program.render(Balancer.of({"pool": {"servers": SERVERS}}), version)

    assert "region" not in plain


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "changed",
    [
        {"name": "de"},
        {"others": {"us": OTHERS["us"]}},
        {"others": {**OTHERS, "us": "https://192.0.2.79"}},
        {"others": {**OTHERS, "us": "https://192.0.2.78:444"}},
        {"answer": "PROXY"},
    ],
)
def test_every_setting_is_in_the_file(target: str, changed: dict[str, Any]) -> None:
    assert rendered(target) != rendered(target, **changed)


@pytest.mark.parametrize("target", TARGETS)
def test_https_is_verified_by_the_file_of_authorities(target: str) -> None:
    secure = rendered(target, answer="PROXY", authorities="/own.pem")
    plain = rendered(
        target, answer="PROXY", authorities="/own.pem", others={"asia": OTHERS["asia"]}
    )

    assert "/own.pem" in secure
    assert ("proxy_ssl_verify on" if "nginx" in target else "verify required") in secure
    assert "/own.pem" not in plain


REFUSED = {
    "itself": ({"others": {"eu": "https://a.example.com"}}, "region.others.eu", "itself"),
    "no other": ({"others": {}}, "region.others", "at least 1"),
    "a path": ({"others": {"us": "https://a.example.com/x"}}, "region.others.us", "without a path"),
    "a user": ({"others": {"us": "https://u@a.example.com"}}, "region.others.us", "must be a URL"),
    "no scheme": ({"others": {"us": "a.example.com"}}, "region.others.us", "must be a URL"),
    "a port above all": (
        {"others": {"us": "http://a.example.com:65536"}}, "region.others.us", "must be a URL",
    ),
    "nginx's own word": (
        {"others": {"default": "https://a.example.com"}}, "region.others", "of nginx's own",
    ),
    "an unknown answer": ({"answer": "IGNORE"}, "region.answer", "REDIRECT, PROXY"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    changed, path, rule = REFUSED[case]

    with pytest.raises(InvalidInput) as caught:
        balancer(**changed)

    assert [(p.path, rule in p.message) for p in caught.value.problems] == [(path, True)]
