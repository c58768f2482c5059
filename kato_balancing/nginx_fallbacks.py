"""What nginx does with a request that no server of its upstream took: again, or to the backups."""

from collections.abc import Iterator
from dataclasses import replace

from kato_balancing import nginx_pools
from kato_balancing.model import Balancer
from kato_balancing.nginx_syntax import Directive, block, directive, mapping

_AGAIN, _FAILED, _BACKUP = "@again", "@failed", "@backup"
_WHERE_TO = "$kato_fallback"


def maps(balancer: Balancer) -> Iterator[Directive]:
    """The variables that say what may be repeated."""
    if nginx_pools.has_backup_pool(balancer):
        yield mapping(
            "$upstream_bytes_sent", "$kato_sent", ("~[1-9]", "1"), ("default", "0"),
            comment="1 once anything was sent to a server: a POST is then never repeated.",
        )  # fmt: skip
        yield mapping(
            "$request_method",
            "$kato_idempotent",
            ("~^(?:GET|HEAD|OPTIONS)$", "1"),
            ("default", "0"),
        )
        yield mapping(
            "$kato_idempotent$kato_sent:$upstream_status", "$kato_final",
            ("~^01:.*504$", "504"), ("~^01:", "502"), ("~^11:.*504$", "504"), ("default", ""),
            comment="What no backup server may repeat: a POST that was sent, an answer that was "
            "waited for.",
        )  # fmt: skip
    if _asks_again(balancer):
        yield mapping(
            "$upstream_addr", _WHERE_TO,
            (rf"~, {nginx_pools.STABLE}\w*$", _AGAIN), ("default", _FAILED),
            comment="An address changed while the request waited for a server that is gone: then "
            "nginx\nasks no other one, though it may, and logs the upstream's own name.",
        )  # fmt: skip


def for_all(balancer: Balancer) -> Iterator[Directive]:
    """Where failed requests go, whatever their path."""
    if nginx_pools.has_backup_pool(balancer):
        yield directive("error_page", 502, 504, "=", _BACKUP)


def for_plain_requests(balancer: Balancer, busy: Directive) -> Iterator[Directive]:
    """Where failed requests go that are no WebSockets; ``busy`` is where refused ones do."""
    if _asks_again(balancer):
        yield replace(busy, comment="A location with a page of its own inherits none.")
        yield directive("error_page", 502, "=", _WHERE_TO)


def locations(balancer: Balancer, target: str, requests: int) -> Iterator[Directive]:
    """Where they go: at most ``requests`` at a time, those sent to ``target`` again among those
    that are counted already."""
    if nginx_pools.has_backup_pool(balancer):
        final = (
            block("if", "($kato_final", "=", f"{status})", inside=[directive("return", status)])
            for status in (502, 504)
        )
        yield block(
            "location", _BACKUP,
            inside=[
                *final,
                directive("limit_conn", "kato_requests", requests),
                directive("proxy_pass", f"http://{nginx_pools.BACKUP}"),
            ],
        )  # fmt: skip
    if _asks_again(balancer):
        yield block("location", _AGAIN, inside=[directive("proxy_pass", f"http://{target}")])
        detail = '{"detail":"The server gave no valid answer"}'
        yield block("location", _FAILED, inside=[directive("return", 502, detail)])


def _asks_again(balancer: Balancer) -> bool:
    """True where addresses change and no backup servers take what nginx gives up."""
    return balancer.resolver is not None and not nginx_pools.has_backup_pool(balancer)
