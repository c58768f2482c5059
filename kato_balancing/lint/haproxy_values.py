"""What HAProxy makes of a sample request, as far as the file says: variables, conditions, answers.

A small part of the language is understood. Whatever is not makes the result unknown, and rules
stay silent on what is not known.
"""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from kato_balancing.lint.haproxy_tree import HaproxyTree, Line, Section
from kato_balancing.lint.patterns import compiled
from kato_balancing.lint.sample_requests import Sample

_ANSWERS: Final = ("deny", "reject", "return", "redirect", "tarpit", "use-service", "silent-drop")
_MOST_STEPS: Final = 20_000
"""No hand-written file has as many conditions; one that does is not understood."""
_CALL: Final = re.compile(r"([A-Za-z0-9_.-]+)(?:\((.*)\))?", re.DOTALL)
_KNOWN_ACLS: Final = {
    "TRUE": True,
    "FALSE": False,
    "METH_GET": True,
    "METH_HEAD": False,
    "METH_POST": False,
    "METH_PUT": False,
    "METH_DELETE": False,
    "METH_OPTIONS": False,
}
"""Conditions that HAProxy has by itself; samples are GET requests."""


class NotKnown(Exception):  # noqa: N818 - an answer, not a fault
    """The value depends on something that is not in the sample or not understood."""


@dataclass
class Transaction:
    """A request on its way through a section."""

    request: Sample
    variables: dict[str, str | NotKnown | None] = field(default_factory=dict)
    answered: bool | None = False
    """HAProxy answered itself; None: perhaps."""
    steps: int = 0
    """Conditions looked at so far."""

    @property
    def exhausted(self) -> bool:
        """True when it took too many steps; nothing is known then."""
        return self.steps > _MOST_STEPS


def run(section: Section, transaction: Transaction) -> None:
    """Apply the section's http-request lines."""
    for line in section.all("http-request"):
        if transaction.exhausted:
            transaction.answered = None
            return
        if len(line.words) < 2:
            continue
        action = line.words[1]
        name, body = _variable_action(line)
        if name is not None:
            _set(section, transaction, line, name, body)
        elif action in _ANSWERS and transaction.answered is not True:
            try:
                if _condition(section, transaction, line.words[2:]):
                    transaction.answered = True
            except NotKnown:
                transaction.answered = None


def backends_of(tree: HaproxyTree, section: Section, transaction: Transaction) -> list[Section]:
    """Where the request may go from a section that listens."""
    found: list[Section] = []
    for line in section.all("use_backend"):
        if len(line.words) < 2:
            continue
        try:
            holds = _condition(section, transaction, line.words[2:])
        except NotKnown:
            holds = None
        if holds is not False:
            found += _named(tree, line.words[1])
        if holds:
            return found
    default = section.effective("default_backend")
    if default is not None and len(default.words) > 1:
        return found + _named(tree, default.words[1])
    return found + ([section] if section.servers else [])


def _named(tree: HaproxyTree, name: str) -> list[Section]:
    return tree.by_name.get(name, [])


def expression(text: str, transaction: Transaction) -> str | None:
    """A sample expression's value, None when there is none. Raises NotKnown."""
    parts = list(_parts(text))
    value = _fetch(parts[0], transaction) if parts else None
    for part in parts[1:]:
        if value is None:
            return None
        value = _converted(part, value)
    return value


def _parts(text: str) -> Iterator[str]:
    part, depth, quote = "", 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "," and depth == 0:
            yield part
            part = ""
            continue
        part += char
    yield part


def _called(text: str) -> tuple[str, list[str]]:
    found = _CALL.fullmatch(text.strip())
    if found is None:
        raise NotKnown
    return found[1], [] if found[2] is None else [_bare(word) for word in _parts(found[2])]


def _bare(word: str) -> str:
    text = word.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _fetch(text: str, transaction: Transaction) -> str | None:
    name, arguments = _called(text)
    request = transaction.request
    if name in ("path", "path_raw"):
        return request.path
    if name in ("pathq", "url", "capture.req.uri"):
        return request.target
    if name == "method":
        return "GET"
    if name in ("str", "bool") and arguments:
        return arguments[0]
    if name in ("hdr", "req.hdr", "req.fhdr", "hdr_val") and arguments:
        return request.header(arguments[0]) or None
    if name == "var" and arguments and not transaction.exhausted:
        value = transaction.variables.get(arguments[0])
        if isinstance(value, NotKnown):
            raise value
        return value
    raise NotKnown


def _converted(text: str, value: str) -> str | None:
    name, arguments = _called(text)
    if name == "url_dec":
        return unquote(value, errors="replace")
    if name in ("lower", "upper"):
        return value.lower() if name == "lower" else value.upper()
    if name in ("field", "word") and len(arguments) == 2 and arguments[0].isdigit():
        fields = re.split(f"[{re.escape(arguments[1])}]", value) if arguments[1] else [value]
        if name == "word":
            fields = [part for part in fields if part]
        index = int(arguments[0]) - 1
        return fields[index] if 0 <= index < len(fields) else None
    if name == "regsub" and len(arguments) >= 2:
        pattern = compiled(arguments[0])
        if pattern is None or "\\" in arguments[1]:
            raise NotKnown
        every = len(arguments) > 2 and "g" in arguments[2]
        return pattern.sub(arguments[1], value, count=0 if every else 1)
    raise NotKnown


def _variable_action(line: Line) -> tuple[str | None, tuple[str, ...]]:
    found = re.fullmatch(r"(?:un)?set-var\(([^,)]+)[^)]*\)", line.words[1])
    return (None, ()) if found is None else (found[1], line.words[2:])


def _set(
    section: Section, transaction: Transaction, line: Line, name: str, body: tuple[str, ...]
) -> None:
    cut = next((i for i, word in enumerate(body) if word in ("if", "unless")), len(body))
    try:
        if not _condition(section, transaction, body[cut:]):
            return
        if line.words[1].startswith("unset"):
            transaction.variables.pop(name, None)
            return
        value = expression(" ".join(body[:cut]), transaction)
        if value is not None:
            transaction.variables[name] = value
    except NotKnown as unknown:
        transaction.variables[name] = unknown


def _condition(section: Section, transaction: Transaction, words: tuple[str, ...]) -> bool:
    start = next((i for i, word in enumerate(words) if word in ("if", "unless")), None)
    if start is None:
        return True
    holds = _any(section, transaction, words[start + 1 :])
    return holds if words[start] == "if" else not holds


def _any(section: Section, transaction: Transaction, words: tuple[str, ...]) -> bool:
    alternatives: list[list[tuple[bool, tuple[str, ...]]]] = [[]]
    index = 0
    while index < len(words):
        word = words[index]
        negated = word.startswith("!")
        word = word.lstrip("!")
        if word in ("or", "||"):
            alternatives.append([])
        elif word == "{":
            end = next((i for i in range(index, len(words)) if words[i] == "}"), None)
            if end is None:
                raise NotKnown
            alternatives[-1].append((negated, words[index + 1 : end]))
            index = end
        elif word:
            alternatives[-1].append((negated, (f"acl:{word}",)))
        index += 1
    return _either(_all(section, transaction, terms) for terms in alternatives)


def _either(values: Iterator[bool | NotKnown]) -> bool:
    unknown: NotKnown | None = None
    for value in values:
        if isinstance(value, NotKnown):
            unknown = value
        elif value:
            return True
    if unknown is not None:
        raise unknown
    return False


def _all(
    section: Section, transaction: Transaction, terms: list[tuple[bool, tuple[str, ...]]]
) -> bool | NotKnown:
    unknown: NotKnown | None = None
    for negated, words in terms:
        try:
            if _term(section, transaction, words) is negated:
                return False
        except NotKnown as here:
            unknown = here
    return True if unknown is None else unknown


def _term(section: Section, transaction: Transaction, words: tuple[str, ...]) -> bool:
    if not words:
        raise NotKnown
    if words[0].startswith("acl:"):
        return _acl(section, transaction, words[0][4:])
    return _matches(transaction, words)


def _acl(section: Section, transaction: Transaction, name: str) -> bool:
    if name in _KNOWN_ACLS:
        return _KNOWN_ACLS[name]
    lines = section.acls.get(name)
    if lines is None:
        raise NotKnown

    def each() -> Iterator[bool | NotKnown]:
        for line in lines:
            try:
                yield _matches(transaction, line.words[2:])
            except NotKnown as unknown:
                if transaction.exhausted:
                    raise
                yield unknown

    return _either(each())


def _matches(transaction: Transaction, words: tuple[str, ...]) -> bool:
    transaction.steps += 1
    if not words or transaction.exhausted:
        raise NotKnown
    fetch, method, ignore_case = words[0], "str", False
    suffix = re.fullmatch(r"(path|url|hdr|req\.hdr)_(beg|end|sub|reg|dir)(\(.*\))?", fetch)
    if suffix is not None:
        fetch, method = suffix[1] + (suffix[3] or ""), suffix[2]
    rest = list(words[1:])
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag == "-m" and rest:
            method = rest.pop(0)
        elif flag == "-i":
            ignore_case = True
        elif flag == "--":
            break
        else:
            raise NotKnown
    value = expression(fetch, transaction)
    if method == "found":
        return value is not None
    if value is None:
        return False
    if ignore_case:
        value, rest = value.lower(), [word.lower() for word in rest]
    return _compared(method, value, rest)


def _compared(method: str, value: str, words: list[str]) -> bool:
    if method == "bool":
        return value not in ("", "0", "false")
    if method == "len":
        return any(_in_range(len(value), word) for word in words)
    if method == "reg":
        patterns = [compiled(word) for word in words]
        if None in patterns:
            raise NotKnown
        return any(pattern is not None and pattern.search(value) for pattern in patterns)
    compare = _COMPARE.get(method)
    if compare is None:
        raise NotKnown
    return any(compare(value, word) for word in words)


_COMPARE: Final[dict[str, Callable[[str, str], bool]]] = {
    "str": operator.eq,
    "beg": str.startswith,
    "end": str.endswith,
    "sub": operator.contains,
    "dir": lambda value, word: f"/{word.strip('/')}/" in f"{value}/",
}


def _in_range(number: int, word: str) -> bool:
    low, separator, high = word.partition(":")
    if not separator:
        return low.isdigit() and number == int(low)
    return (not low.isdigit() or number >= int(low)) and (not high.isdigit() or number <= int(high))
