"""A HAProxy configuration as sections of lines, with what proxies take from their defaults."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from kato_balancing.lint.findings import LintError, Place
from kato_balancing.targets import Version

SECTIONS: Final = frozenset(
    {
        "global", "defaults", "frontend", "backend", "listen", "resolvers", "peers", "userlist",
        "mailers", "program", "http-errors", "ring", "cache", "log-forward", "fcgi-app",
        "crt-store", "traces", "healthcheck", "log-profile", "acme",
    }
)  # fmt: skip

_WITH_VALUE: Final = frozenset(
    {
        "id", "weight", "cookie", "inter", "fastinter", "downinter", "rise", "fall", "maxconn",
        "minconn", "maxqueue", "pool-purge-delay", "pool-max-conn", "pool-low-conn", "init-addr",
        "resolvers", "resolve-prefer", "resolve-net", "hash-key", "guid", "observe", "error-limit",
        "on-error", "on-marked-down", "on-marked-up", "track", "slowstart", "port", "addr",
        "agent-port", "agent-inter", "max-reuse", "proto", "check-proto", "healthcheck",
    }
)  # fmt: skip
"""Words of a server line that take the next word."""


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a section."""

    words: tuple[str, ...]
    place: Place

    def starts(self, *words: str) -> bool:
        """True when the line begins with these words."""
        return self.words[: len(words)] == words

    def after(self, word: str) -> str | None:
        """The word behind the first occurrence of another."""
        for here, following in zip(self.words, self.words[1:], strict=False):
            if here == word:
                return following
        return None


@dataclass(eq=False)
class Section:
    """A section; ``defaults`` is the one that it inherits from."""

    kind: str
    name: str
    place: Place
    base: str = ""
    """Name of the defaults section that it asks for."""
    lines: list[Line] = field(default_factory=list)
    defaults: "Section | None" = None

    def all(self, *words: str) -> list[Line]:
        """Own lines that begin with these words."""
        return [line for line in self.lines if line.starts(*words)]

    def effective(self, *words: str) -> Line | None:
        """The line that rules here: the last own one, else that of the defaults."""
        found = self.all(*words)
        if found:
            return found[-1]
        return None if self.defaults is None else self.defaults.effective(*words)

    def option(self, name: str) -> Line | None:
        """The line that turns an option on, None when it is off."""
        own = [
            line
            for line in self.lines
            if line.starts("option", name) or line.starts("no", "option", name)
        ]
        if own:
            return own[-1] if own[-1].words[0] == "option" else None
        return None if self.defaults is None else self.defaults.option(name)

    @cached_property
    def servers(self) -> list["Server"]:
        """The server lines with what default-server gives them."""
        base = {} if self.defaults is None else _default_server(self.defaults, {})
        found: list[Server] = []
        for line in self.lines:
            if line.words[0] == "default-server":
                base = {**base, **_parameters(line.words[1:])}
            elif line.words[0] == "server" and len(line.words) >= 3:
                own = _parameters(line.words[3:])
                found.append(Server(line, line.words[1], line.words[2], _merged(base, own)))
            elif line.words[0] == "server-template" and len(line.words) >= 4:
                own = _parameters(line.words[4:])
                found.append(Server(line, line.words[1], line.words[3], _merged(base, own), True))
        return found

    @cached_property
    def acls(self) -> dict[str, list[Line]]:
        """The lines of every named condition."""
        found: dict[str, list[Line]] = {}
        for line in self.all("acl"):
            if len(line.words) > 2:
                found.setdefault(line.words[1], []).append(line)
        return found

    @property
    def title(self) -> str:
        """The section as it is called in the file."""
        return f"{self.kind} {self.name}".strip()


@dataclass(frozen=True, eq=False)
class Server:
    """A server line."""

    line: Line
    name: str
    address: str
    parameters: dict[str, str]
    """Values by word; words without a value have an empty one."""
    is_template: bool = False

    @property
    def checked(self) -> bool:
        """True when it is probed itself."""
        return "check" in self.parameters

    @property
    def host(self) -> str:
        """The address without its port."""
        host, separator, port = self.address.rpartition(":")
        return host if separator and (port.isdigit() or port == "") else self.address


@dataclass(eq=False)
class HaproxyTree:
    """A file."""

    sections: list[Section]
    sources: dict[str, str]
    version: Version | None = None
    """Version that the file is for; None when nobody said."""
    version_is_stated: bool = False

    @property
    def file(self) -> str:
        """The file's name."""
        return next(iter(self.sources))

    @property
    def whole(self) -> bool:
        """True for a whole configuration, False for a fragment such as one backend."""
        return any(section.kind == "global" for section in self.sections)

    def of(self, *kinds: str) -> list[Section]:
        """Sections of these kinds."""
        return [section for section in self.sections if section.kind in kinds]

    @cached_property
    def backends(self) -> list[Section]:
        """Sections with servers."""
        return [section for section in self.of("backend", "listen") if section.servers]

    @cached_property
    def by_name(self) -> dict[str, list[Section]]:
        """The backends and listens of each name."""
        found: dict[str, list[Section]] = {}
        for section in self.of("backend", "listen"):
            found.setdefault(section.name, []).append(section)
        return found

    @cached_property
    def entrances(self) -> list[Section]:
        """Sections that listen."""
        return self.of("frontend", "listen")

    def below(self, version: Version) -> bool:
        """True when the version is known and older."""
        return self.version is not None and self.version < version


def parse(file: str, text: str) -> list[Section]:
    """The file's sections. Raises LintError when it has no structure."""
    sections: list[Section] = []
    last_defaults: Section | None = None
    named: dict[str, Section] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        words = split(file, number, raw)
        if not words or words[0].startswith("."):
            continue
        place = Place(file, number)
        if words[0] not in SECTIONS:
            if not sections:
                raise LintError(file, f"{words[0][:40]!r} stands before any section", number)
            sections[-1].lines.append(Line(tuple(words), place))
            continue
        base = words[words.index("from") + 1] if "from" in words[1:-1] else ""
        name = words[1] if len(words) > 1 and words[1] != "from" else ""
        section = Section(words[0], name, place, base)
        if section.kind == "defaults":
            section.defaults = named.get(base)
            last_defaults = section
            if name:
                named[name] = section
        elif section.kind in ("frontend", "backend", "listen"):
            section.defaults = named.get(base, last_defaults) if base else last_defaults
        sections.append(section)
    return sections


def split(file: str, number: int, raw: str) -> list[str]:
    """A line's words. Environment variables stay as they are written."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    characters = iter(raw.rstrip("\r"))
    for char in characters:
        if quote and char == quote:
            quote = ""
        elif char == "\\" and quote != "'":
            word = word if word is not None else []
            word.append(next(characters, "\\"))
        elif quote:
            word = word if word is not None else []
            word.append(char)
        elif char in "\"'":
            quote, word = char, word if word is not None else []
        elif char == "#":
            break
        elif char.isspace():
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = word if word is not None else []
            word.append(char)
    if quote:
        raise LintError(file, f"a {quote} is not closed", number)
    if word is not None:
        words.append("".join(word))
    return words


def _default_server(section: Section, below: dict[str, str]) -> dict[str, str]:
    base = below if section.defaults is None else _default_server(section.defaults, below)
    for line in section.all("default-server"):
        base = {**base, **_parameters(line.words[1:])}
    return base


def _merged(base: dict[str, str], own: dict[str, str]) -> dict[str, str]:
    merged = {**base, **own}
    for word in own:
        if word.startswith("no-"):
            merged.pop(word[3:], None)
    return merged


def _parameters(words: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    rest: Iterator[str] = iter(words)
    for word in rest:
        found[word] = next(rest, "") if word in _WITH_VALUE else ""
    return found
