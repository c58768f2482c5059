"""A rule: what it looks for, why it matters, how to mend it, and an example of both."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from kato_balancing.lint.findings import Finding, Hit, Severity
from kato_balancing.targets import Version


class Program(StrEnum):
    """Whose configuration a rule judges."""

    NGINX = "nginx"
    HAPROXY = "haproxy"


TreeT = TypeVar("TreeT")


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[TreeT]):
    """One record; the check is a pure function of the parsed file."""

    id: str
    title: str
    severity: Severity
    program: Program
    check: Callable[[TreeT], Iterable[Hit]]
    cure: str
    why: str
    """The harm, with the figure that was measured where there is one."""
    breaks: str
    holds: str
    """The same file, mended."""
    flaws: tuple[int, ...] = ()
    """Rows of the list of known flaws that the rule stands for."""
    since: Version | None = None
    """The first version that the rule applies to."""
    until: Version | None = None
    """The first version that it no longer applies to."""
    whole_file: bool = False
    """Judges what a whole configuration lacks; silent on fragments of one."""
    companions: tuple[str, ...] = ()
    """Rules that the broken example breaks too, for one cannot be had without the other."""
    breaks_version: Version | None = None
    """The version that the broken example is judged for."""
    holds_version: Version | None = None

    def applies_to(self, version: Version | None) -> bool:
        """False when the version is known to be out of the rule's range."""
        if version is None:
            return True
        return (self.since is None or version >= self.since) and (
            self.until is None or version < self.until
        )

    def findings(self, tree: TreeT) -> Iterable[Finding]:
        """The check's hits as findings."""
        for place, message in self.check(tree):
            yield Finding(self.id, self.severity, place, message, self.cure)


def changed(text: str, old: str, new: str) -> str:
    """An example with one part replaced. Raises ValueError when the part is not there once."""
    if text.count(old) != 1:
        raise ValueError(f"{old!r} stands {text.count(old)} times in the example")
    return text.replace(old, new)
