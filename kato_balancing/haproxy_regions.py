"""Another region's session in a HAProxy configuration: redirected, proxied there, or refused."""

from collections.abc import Iterator

from kato_balancing import headers, invariants, kato, urls
from kato_balancing.haproxy_pools import RESOLVERS, milliseconds, probes, purges
from kato_balancing.haproxy_refusals import requests
from kato_balancing.haproxy_syntax import Line, Section, line, section
from kato_balancing.model import Balancer
from kato_balancing.regions import RegionAnswer
from kato_balancing.targets import Version

_BACKEND = "kato_region_"
_REGION = "txn.kato_region"


def answers(balancer: Balancer) -> Iterator[Line]:
    """What clients get whose session is another region's; after what is hidden."""
    region = balancer.region
    if region is None:
        return
    asked = f"var({_REGION})"
    came = f"req.fhdr({headers.REGION_HOP_HEADER.lower()})"
    yield line(
        "http-request", f"set-var({_REGION})", f"req.fhdr({headers.REGION_HEADER.lower()})",
        comment="Where the session's region is. No session is looked for elsewhere.",
    )  # fmt: skip
    yield line("acl", "kato_elsewhere", asked, "-m", "len", "1:")
    yield line("acl", "kato_here", asked, "-m", "str", region.name)
    for name in region.others:
        yield line("acl", "kato_region", asked, "-m", "str", name)
    # What another region's balancer sent here is served here or refused.
    yield line("acl", "kato_sent_on", came, "-m", "len", "1:")
    # Without a slash in front, what is asked for would become a part of the other host's name.
    yield line("acl", "kato_slash", "pathq", "-m", "beg", "/")
    detail = f'{{"detail":"No session of that region here: this is {region.name}"}}'
    yield line(
        "http-request", "return", "status", 421, "content-type", "application/json",
        "string", detail, "if", "kato_elsewhere", "!kato_here", "!kato_region",
        "or", "kato_elsewhere", "!kato_here", "kato_sent_on",
        "or", "kato_elsewhere", "!kato_here", "!kato_slash",
    )  # fmt: skip
    for name, url in region.others.items():
        is_it = ["{", asked, "-m", "str", name, "}"]
        if region.answer is RegionAnswer.REDIRECT:
            yield line(
                "http-request", "redirect", "code", 307, "location", f"{url}%[pathq]",
                "if", *is_it,
            )  # fmt: skip


def routes(balancer: Balancer) -> Iterator[Line]:
    """Which backend proxies a request for another region; before the others."""
    region = balancer.region
    if region is None or region.answer is not RegionAnswer.PROXY:
        return
    for name in region.others:
        is_it = ["{", f"var({_REGION})", "-m", "str", name, "}"]
        yield line("use_backend", f"{_BACKEND}{name}", "if", *is_it)


def backends(balancer: Balancer, version: Version) -> Iterator[Section]:
    """One backend for each region that requests are proxied to."""
    region = balancer.region
    if region is None or region.answer is not RegionAnswer.PROXY:
        return
    for name, url in region.others.items():
        words: list[object] = ["server", name, urls.endpoint(url), *_checked(balancer, version)]
        if urls.scheme(url) == "https":
            words += ["ssl", "verify", "required", "ca-file", region.authorities]
            words += ["sni", f"str({urls.host(url)})", "verifyhost", urls.host(url)]
        if urls.is_named(url) and balancer.resolver is not None:
            # HAProxy starts while the other region can't be found.
            words += ["resolvers", RESOLVERS, "resolve-prefer", "ipv4", "init-addr", "none"]
        yield section(
            "backend", f"{_BACKEND}{name}",
            inside=[
                line("log", "global"),
                line("balance", "roundrobin"),
                line("option", "httpchk"),
                line(
                    "http-check", "send", "meth", "GET", "uri", kato.HEALTH_PATH,
                    "ver", "HTTP/1.1", "hdr", "Host", urls.authority(url),
                ),
                line("http-check", "expect", "status", 200),
                line("retries", 1),
                line("retry-on", "conn-failure"),
                line("http-request", "set-header", "Host", urls.authority(url)),
                line("http-request", "set-header", headers.REGION_HOP_HEADER, region.name),
                line("http-response", "set-var(txn.kato_upstream_status)", "status"),
                line(*words),
            ],
        )  # fmt: skip


def _checked(balancer: Balancer, version: Version) -> list[object]:
    idle = balancer.limits.workers * invariants.idle_per_process(balancer)
    return [
        *probes(balancer, version),
        "maxconn", requests(balancer), "pool-max-conn", idle,
        "pool-purge-delay", milliseconds(balancer.keep_alive.idle / purges(idle)),
    ]  # fmt: skip
