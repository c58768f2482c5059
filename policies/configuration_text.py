"""An nginx or HAProxy configuration, parsed and judged by lint.

Importing lint takes longer than all the rest of a pack, so this module is loaded when the first
configuration is seen, or in the background while the engine starts the next pack.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from kato_balancing.allow_comment import ALLOW
from kato_balancing.lint import Finding, LintError, Program, lint
from kato_balancing.lint import haproxy_tree as haproxy
from kato_balancing.lint import nginx_tree as nginx
from kato_balancing.lint.amounts import nginx_seconds, whole
from kato_balancing.lint.haproxy_tree import HaproxyTree
from kato_balancing.lint.kinds import kind_of
from kato_balancing.lint.nginx_tree import NginxTree

from .balancers import HAPROXY, NGINX

_HAPROXY_UNITS: Final = (("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0))


@lru_cache(maxsize=512)
def parsed(file: str, text: str) -> "Text":
    """The text, read once however many rules ask."""
    return Text(file, text)


@dataclass(frozen=True, eq=False)
class Text:
    """A file's name and its text."""

    file: str
    text: str

    @cached_property
    def program(self) -> Program | None:
        """Whose it is; None for a file that no balancer reads."""
        try:
            program = kind_of(self.file, self.text)
        except LintError:
            return None
        form = NGINX if program is Program.NGINX else HAPROXY
        return program if form.search(self.text) else None

    @cached_property
    def _judged(self) -> tuple[tuple[Finding, ...], str]:
        try:
            return tuple(lint(self.text, self.program, file=self.file)), ""
        except LintError as error:
            return (), error.message

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What lint says; nothing when the text can't be read."""
        return self._judged[0]

    @cached_property
    def findings_regardless(self) -> tuple[Finding, ...]:
        """What lint says when the comments that allow something do not count."""
        if ALLOW not in self.text:
            return self.findings
        return Text(self.file, self.text.replace(ALLOW, "-")).findings

    @property
    def unreadable(self) -> str:
        """Why the text can't be read as a configuration, or nothing."""
        return self._judged[1]

    @cached_property
    def nginx(self) -> NginxTree | None:
        """The parsed file, None when it is not nginx's or can't be read."""
        if self.program is not Program.NGINX:
            return None
        try:
            return NginxTree(nginx.parse(self.file, self.text), {self.file: self.text})
        except LintError:
            return None

    @cached_property
    def haproxy(self) -> HaproxyTree | None:
        """The parsed file, None when it is not HAProxy's or can't be read."""
        if self.program is not Program.HAPROXY:
            return None
        try:
            return HaproxyTree(haproxy.parse(self.file, self.text), {self.file: self.text})
        except LintError:
            return None

    @cached_property
    def hosts(self) -> frozenset[str]:
        """Names and addresses of the servers."""
        return frozenset(map(_bare, self._addresses()))

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of upstreams, backends and servers; every word when the text can't be read."""
        if self.program is None:
            return frozenset()
        if self.nginx is not None:
            own = [node.first for node in self.nginx.upstreams]
        elif self.haproxy is not None:
            own = [section.name for section in self.haproxy.of("backend", "listen")]
        else:
            own = re.findall(r"[A-Za-z0-9_.-]+", self.text)
        return frozenset((*own, *self._addresses()))

    def _addresses(self) -> Iterator[str]:
        if self.nginx is not None:
            for upstream in self.nginx.upstreams:
                yield from (node.first for node in upstream.all("server"))
            for node in self.nginx.named("proxy_pass"):
                yield node.first.partition("://")[2].partition("/")[0]
        elif self.haproxy is not None:
            for section in self.haproxy.backends:
                yield from (server.address for server in section.servers)

    @cached_property
    def drain_seconds(self) -> float | None:
        """How long the balancer lets its own connections end when it stops."""
        if self.nginx is not None:
            found = self.nginx.named("worker_shutdown_timeout")
            return nginx_seconds(found[0].first) if found else None
        for section in self.haproxy.of("global") if self.haproxy is not None else ():
            line = section.effective("hard-stop-after")
            if line is not None and len(line.words) > 1:
                return _haproxy_seconds(line.words[1])
        return None

    @cached_property
    def tries(self) -> tuple[tuple[int, str, int], ...]:
        """Line, word and number of everything that bounds retries."""
        found: list[tuple[int, str, int]] = []
        if self.nginx is not None:
            for node in self.nginx.named("proxy_next_upstream_tries"):
                count = whole(node.first)
                if count is not None:
                    found.append((node.place.line, node.name, count))
        if self.haproxy is not None:
            for section in self.haproxy.of("defaults", "backend", "listen"):
                for line in section.all("retries"):
                    count = whole(line.words[1]) if len(line.words) > 1 else None
                    if count:
                        found.append((line.place.line, "retries", count))
        return tuple(found)


def _haproxy_seconds(text: str) -> float | None:
    for unit, factor in _HAPROXY_UNITS:
        bare = text.removesuffix(unit)
        if text.endswith(unit) and bare.isdecimal():
            return int(bare) * factor
    return int(text) / 1000 if text.isdecimal() else None


def _bare(address: str) -> str:
    host, colon, port = address.rpartition(":")
    bare = host if colon and (port.isdecimal() or not port) else address
    # SRV names: _http._tcp.kato.kato.svc.cluster.local
    return re.sub(r"^(?:_[a-z0-9-]+\.){1,2}", "", bare).rstrip(".")
