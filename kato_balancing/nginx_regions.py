"""Another region's session in an nginx configuration: redirected, proxied there, or refused."""

from collections.abc import Iterable, Iterator

from kato_balancing import headers, invariants, urls
from kato_balancing.model import Balancer
from kato_balancing.nginx_pools import seconds
from kato_balancing.nginx_syntax import Directive, block, directive, mapping, request_header
from kato_balancing.regions import Region, RegionAnswer

_LOCATION = "@region"
_TO_LOCATION = 418
"""A status that nothing else here uses: it leads to the location that proxies."""
_REFUSED = 421
"""Both the answer and the mark of a request that gets it."""
_UPSTREAM = "kato_region_"
_ZONE = "kato_regions"


def maps(balancer: Balancer) -> Iterator[Directive]:
    """The variables that say where a request's region is."""
    region = balancer.region
    if region is None:
        return
    proxied = region.answer is RegionAnswer.PROXY
    entries = [("", ""), (region.name, "")]
    for name, url in region.others.items():
        target = f"{urls.scheme(url)}://{_UPSTREAM}{name}" if proxied else url
        entries.append((name, target))
    source = request_header(headers.REGION_HEADER)
    yield mapping(
        source, "$kato_region", *entries, ("default", str(_REFUSED)),
        comment="Where the session's region is; empty: here. No session is looked for elsewhere.",
    )  # fmt: skip
    came = request_header(headers.REGION_HOP_HEADER)
    yield mapping(
        f"{came}:$kato_region", "$kato_region_at",
        ("~^:", "$kato_region"), ("~^.+:$", ""), ("default", str(_REFUSED)),
        comment="What another region's balancer sent here is served here or refused.",
    )  # fmt: skip
    if not proxied:
        return
    others = region.others.items()
    hosts = ((name, urls.authority(url)) for name, url in others)
    yield mapping(source, "$kato_region_host", *hosts)
    yield mapping(source, "$kato_region_name", *((name, urls.host(url)) for name, url in others))
    yield mapping("$http_upgrade", "$kato_region_connection", ("", ""), ("default", "upgrade"))
    yield directive("limit_conn_zone", "$server_port", f"zone={_ZONE}:64k")


def upstreams(balancer: Balancer) -> Iterator[Directive]:
    """One upstream for each region that requests are proxied to."""
    region = balancer.region
    if region is None or region.answer is not RegionAnswer.PROXY:
        return
    for name, url in region.others.items():
        looked_up = balancer.resolver is not None and urls.is_named(url)
        yield block(
            "upstream", f"{_UPSTREAM}{name}",
            inside=[
                directive("zone", f"{_UPSTREAM}{name}", "256k"),
                directive("server", urls.endpoint(url), *(["resolve"] if looked_up else [])),
                directive("keepalive", invariants.idle_per_process(balancer)),
                directive("keepalive_timeout", seconds(balancer.keep_alive.idle)),
            ],
        )  # fmt: skip


def answers(balancer: Balancer) -> Iterator[Directive]:
    """What the public server does with requests for other regions; after what it hides."""
    region = balancer.region
    if region is None:
        return
    proxied = region.answer is RegionAnswer.PROXY
    found = "$kato_region_at"
    detail = f'{{"detail":"No session of that region here: this is {region.name}"}}'
    yield block(
        "if", f"({found}", "=", f"{_REFUSED})", inside=[directive("return", _REFUSED, detail)]
    )  # fmt: skip
    if not proxied:
        to_other = directive("return", 307, f"{found}$request_uri")
        yield block("if", f"({found})", inside=[to_other])
        return
    yield directive("error_page", _TO_LOCATION, "=", _LOCATION)
    yield block("if", f"({found})", inside=[directive("return", _TO_LOCATION)])


def location(
    balancer: Balancer, requests: int, forwarded: Iterable[Directive]
) -> Iterator[Directive]:
    """The location that proxies to another region: at most ``requests`` at a time, with the
    headers that a request gets on its way to KATO but for the host."""
    region = balancer.region
    if region is None or region.answer is not RegionAnswer.PROXY:
        return
    values = {
        "Connection": "$kato_region_connection",
        "Upgrade": "$http_upgrade",
        "Host": "$kato_region_host",
        headers.REGION_HOP_HEADER: region.name,
    }
    yield block(
        "location", _LOCATION,
        inside=[
            directive("limit_conn", _ZONE, requests),
            directive("proxy_pass", "$kato_region_at"),
            *(line for line in forwarded if line.arguments[0] != "Host"),
            *(directive("proxy_set_header", name, value) for name, value in values.items()),
            directive("proxy_next_upstream", "off"),
            *_verified(region),
        ],
    )  # fmt: skip


def _verified(region: Region) -> Iterator[Directive]:
    if all(urls.scheme(url) == "http" for url in region.others.values()):
        # The file of authorities need not be there.
        return
    yield directive("proxy_ssl_server_name", "on")
    yield directive("proxy_ssl_name", "$kato_region_name")
    yield directive("proxy_ssl_verify", "on")
    yield directive("proxy_ssl_verify_depth", 3)
    yield directive("proxy_ssl_trusted_certificate", region.authorities)
