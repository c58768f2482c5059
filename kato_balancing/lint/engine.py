"""Judges a text or a file: parse, run every rule that applies, put the findings in order."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from kato_balancing.lint import haproxy_tree, nginx_includes, nginx_tree, reading, versions
from kato_balancing.lint.allowing import allowed
from kato_balancing.lint.catalogue import haproxy_rules, nginx_rules
from kato_balancing.lint.findings import Finding, Place
from kato_balancing.lint.haproxy_tree import HaproxyTree
from kato_balancing.lint.kinds import kind_of
from kato_balancing.lint.nginx_tree import NginxTree
from kato_balancing.lint.rule import Program, Rule, TreeT
from kato_balancing.targets import Version

UNNAMED: Final = "<text>"


def lint(
    text: str,
    program: Program | str | None = None,
    *,
    version: Version | None = None,
    file: str = UNNAMED,
) -> list[Finding]:
    """Findings on a configuration given as text; nginx's includes are not followed.

    ``version`` is the server's; a two-part one (patch 0) stands for the newest of its branch.
    Raises LintError for what can't be judged.
    """
    reading.check_text(file, text)
    if _program(file, text, program) is Program.NGINX:
        tree = _nginx(file, text, version)
        nginx_includes.note_unfollowed(tree)
        return lint_nginx(tree)
    return lint_haproxy(_haproxy(file, text, version))


def lint_file(
    path: str | Path,
    program: Program | str | None = None,
    *,
    version: Version | None = None,
    root: str | Path | None = None,
) -> list[Finding]:
    """Findings on a file and on what it includes below ``root`` (default: the file's folder)."""
    file = Path(path)
    text = reading.read_file(file)
    if _program(str(file), text, program) is Program.HAPROXY:
        return lint_haproxy(_haproxy(str(file), text, version))
    tree = _nginx(str(file), text, version)
    nginx_includes.follow(tree, file, file.parent if root is None else Path(root))
    return lint_nginx(tree)


def lint_nginx(tree: NginxTree) -> list[Finding]:
    """Findings of every nginx rule on a parsed configuration."""
    return _ordered(_run(nginx_rules, tree, tree.version, tree.whole), tree.sources)


def lint_haproxy(tree: HaproxyTree) -> list[Finding]:
    """Findings of every HAProxy rule on a parsed configuration."""
    return _ordered(_run(haproxy_rules, tree, tree.version, tree.whole), tree.sources)


def _program(file: str, text: str, program: Program | str | None) -> Program:
    return kind_of(file, text) if program is None else Program(program)


def _nginx(file: str, text: str, version: Version | None) -> NginxTree:
    return NginxTree(
        nginx_tree.parse(file, text),
        {file: text},
        versions.version_of(text, version),
        version is not None,
    )


def _haproxy(file: str, text: str, version: Version | None) -> HaproxyTree:
    return HaproxyTree(
        haproxy_tree.parse(file, text),
        {file: text},
        versions.version_of(text, version),
        version is not None,
    )


def _run(
    rules: Sequence[Rule[TreeT]], tree: TreeT, version: Version | None, whole: bool
) -> Iterable[Finding]:
    for rule in rules:
        if rule.applies_to(version) and (whole or not rule.whole_file):
            yield from rule.findings(tree)


def _ordered(findings: Iterable[Finding], sources: Mapping[str, str]) -> list[Finding]:
    exempt = allowed(sources)
    files = list(sources)

    def position(finding: Finding) -> tuple[int, Place, str]:
        known = finding.place.file in files
        return files.index(finding.place.file) if known else len(files), finding.place, finding.rule

    kept = {
        finding
        for finding in findings
        if (finding.place.file, finding.place.line, finding.rule) not in exempt
    }
    return sorted(kept, key=lambda finding: (*position(finding), finding.message))
