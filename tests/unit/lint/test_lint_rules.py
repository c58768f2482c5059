"""Every rule's own examples: the broken one gives that finding, the mended one gives none."""

from collections import Counter

import pytest

from kato_balancing.lint import Program, Severity, haproxy_rules, lint, nginx_rules, rule, rules
from kato_balancing.lint.rule import Rule

ALL = pytest.mark.parametrize("judged", rules, ids=lambda judged: judged.id)


@ALL
def test_the_broken_example_gives_that_finding_and_no_other(judged: Rule) -> None:
    found = lint(judged.breaks, judged.program, version=judged.breaks_version)

    ids = {finding.rule for finding in found if rule(finding.rule).severity is not Severity.INFO}
    assert judged.id in {finding.rule for finding in found}
    assert ids - {judged.id} == set(judged.companions)


@ALL
def test_the_mended_example_gives_none(judged: Rule) -> None:
    assert lint(judged.holds, judged.program, version=judged.holds_version) == []


def test_a_record_has_all_that_its_page_needs() -> None:
    for judged in rules:
        assert judged.breaks != judged.holds or judged.breaks_version != judged.holds_version
        assert judged.id.startswith(f"{judged.program}-")
        assert judged.title
        assert len(judged.cure) > 10
        assert len(judged.why) > 10
        assert not judged.title.endswith(".")
        assert not judged.cure.endswith(".")


def test_a_finding_names_a_line_of_the_file_and_has_the_cure() -> None:
    for judged in rules:
        text = judged.breaks
        for finding in lint(text, judged.program, version=judged.breaks_version):
            assert 1 <= finding.place.line <= text.count("\n") + 1
            assert finding.message
            assert finding.cure == rule(finding.rule).cure


def test_ids_are_unique_and_companions_exist() -> None:
    assert max(Counter(judged.id for judged in rules).values()) == 1
    for judged in rules:
        for other in judged.companions:
            assert rule(other).program is judged.program


def test_every_rule_stands_in_the_list_of_its_program() -> None:
    assert {judged.program for judged in nginx_rules} == {Program.NGINX}
    assert {judged.program for judged in haproxy_rules} == {Program.HAPROXY}
    assert set(rules) == {*nginx_rules, *haproxy_rules}


def test_every_flaw_that_a_file_can_show_has_a_rule() -> None:
    covered = {flaw for judged in rules for flaw in judged.flaws}

    assert covered == set(range(1, 29))
