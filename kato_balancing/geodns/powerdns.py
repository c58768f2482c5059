"""Model → what PowerDNS Authoritative 4.7 and 5.0 run with: settings, zone, start and test.

The record is a small Lua program, in words that both versions have. PowerDNS checks an address in
the background from the first question on, and says "down" until the first check is done; so the
answers of a server that has just started are by place alone until the file :data:`CHECKED` says
that every region was checked once.
"""

import textwrap
from collections.abc import Iterator

from kato_balancing.geodns import placement
from kato_balancing.geodns.model import GeoDns

PORT = 5300
"""Where it listens; below 1024 it would need a privilege."""

ZONE_FILE = "zone"
ZONES_FILE = "named.conf"
SETTINGS_FILE = "pdns.conf"
START_FILE = "start.sh"
TEST_FILE = "test.sh"

_SCRATCH = "/tmp"  # noqa: S108 - the one writable folder of a container with a read-only root
CHECKED = f"{_SCRATCH}/checked"
"""Is there once the checks have told about every region."""

_START_TRIES = 300
_TEST_TRIES = 50
_TEST_PORT = PORT + 1
_TENTH = 0.1
_YEAR_SECONDS = 365 * 86400
_INSTRUCTIONS = 1_000_000
"""Most that one answer may take; PowerDNS' own limit of 1,000 is below a table of 200 networks."""
_NOBODY = "255.255.255.255"
"""An address that never serves. It stands before a region's own: when it is among what PowerDNS
gives back, none of them serves. 4.7 has no other way to say so, and 5.0 gives the first ones."""
_CHUNK = 200
"""Characters of one of the quoted texts that a record consists of; 255 is the format's limit."""


def files(dns: GeoDns, folder: str) -> dict[str, str]:
    """Name → content of everything that the server reads in ``folder``."""
    return {
        SETTINGS_FILE: settings(dns, folder),
        ZONES_FILE: f'zone "{dns.zone}" {{ type native; file "{folder}/{ZONE_FILE}"; }};\n',
        ZONE_FILE: zone(dns),
        START_FILE: start_script(dns, folder),
        TEST_FILE: test_script(dns, folder),
    }


READ_AT_START = (SETTINGS_FILE, ZONES_FILE, START_FILE)
"""Files whose change needs another process."""


def settings(dns: GeoDns, folder: str) -> str:
    """``pdns.conf``: read at the start only, where the zone is read again when it changes."""
    values = {
        "launch": "bind",
        "bind-config": f"{folder}/{ZONES_FILE}",
        "bind-check-interval": 1,
        "local-address": "0.0.0.0, ::",
        "local-address-nonexist-fail": "no",
        "local-port": PORT,
        "socket-dir": _SCRATCH,
        "daemon": "no",
        "guardian": "no",
        "enable-lua-records": "yes",
        "lua-records-exec-limit": _INSTRUCTIONS,
        "lua-health-checks-interval": dns.checks.interval,
        # A check that nobody asked for would be forgotten and begin again with "down".
        "lua-health-checks-expire-delay": _YEAR_SECONDS,
        "edns-subnet-processing": "yes",
        # A remembered record would outlive a change of the zone.
        "cache-ttl": 0,
        "query-cache-ttl": 0,
        "negquery-cache-ttl": 0,
        "disable-axfr": "yes",
        # No question to the vendor about updates.
        "security-poll-suffix": "",
        "version-string": "anonymous",
        "loglevel": 6,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def zone(dns: GeoDns) -> str:
    """The zone's file."""
    servers = [f"{name.rstrip('.')}." for name in dns.name_servers]
    lines = [
        f"$ORIGIN {dns.zone}.",
        f"$TTL {dns.ttl}",
        # Nobody copies the zone by its serial, so it need not count.
        f"@ IN SOA {servers[0]} hostmaster.{dns.zone}. 1 3600 600 604800 {dns.ttl}",
        *(f"@ IN NS {server}" for server in servers),
    ]
    for kind in _kinds(dns):
        lines.append(f"{dns.record} IN LUA {kind} {_quoted(' '.join(_program(dns, kind)))}")
    return "\n".join(lines) + "\n"


def _kinds(dns: GeoDns) -> list[str]:
    """Types of records that there are addresses for."""
    regions = [address for region in dns.regions for address in region.addresses]
    given = {":" in address for address in (*regions, *dns.backup_addresses)}
    return [kind for kind, is_v6 in (("A", False), ("AAAA", True)) if is_v6 in given]


def _quoted(program: str) -> str:
    # 4.7 joins the texts with spaces, 5.0 does not; a double quote is the end of one.
    chunks = textwrap.wrap(program, _CHUNK, break_long_words=False, break_on_hyphens=False)
    return "( " + "\n    ".join(f'"{chunk} "' for chunk in chunks) + " )"


def _program(dns: GeoDns, kind: str) -> Iterator[str]:
    yield f";local checks={{{', '.join(_options(dns))}}}"
    yield "local at, serving = {}, {}"
    yield "local function up(url, addresses)"
    yield f"local found=ifurlup(url, {{{{{_text(_NOBODY)}}}, addresses}}, checks)"
    yield "for _, address in ipairs(found) do"
    yield f"if address == {_text(_NOBODY)} then return {{}} end end return found end"
    for region in dns.regions:
        yield f"at[{_text(region.name)}]={_list(region.addresses)}"
    for region in dns.regions:
        # Each time and for every region, so that all are being checked.
        name, url = _text(region.name), _text(region.health_url)
        yield f"serving[{name}]=up({url}, at[{name}])"
    yield f"local checked=io.open({_text(CHECKED)}) if checked then checked:close() end"
    yield f"local order={_list(placement.order(dns, None))}"
    opening = "if"
    for group in placement.groups(dns):
        yield f"{opening} netmask({_list(group.networks)}) then order={_list(group.order)}"
        opening = "elseif"
    if dns.networks:
        yield "end"
    yield f"local chosen={_list(dns.backup_addresses)}"
    yield "for _, name in ipairs(order) do"
    yield "if not checked then chosen=at[name] break end"
    yield "if #serving[name] > 0 then chosen=serving[name] break end"
    yield "end"
    wanted = "true" if kind == "AAAA" else "false"
    yield "local answer={} for _, address in ipairs(chosen) do"
    yield f"if (address:find(':') ~= nil) == {wanted} then table.insert(answer, address) end"
    yield "end return answer"


def _options(dns: GeoDns) -> Iterator[str]:
    checks = dns.checks
    yield "selector='all'"
    yield "backupSelector='all'"
    yield f"timeout='{checks.timeout}'"
    if checks.text is not None:
        yield f"stringmatch=string.char({', '.join(str(ord(one)) for one in checks.text)})"


def _text(value: str) -> str:
    return f"'{value}'"


def _list(values: tuple[str, ...]) -> str:
    return f"{{{', '.join(map(_text, values))}}}"


def start_script(dns: GeoDns, folder: str) -> str:
    """Shell lines that begin the checks and then become the server."""
    ask = look_up(dns)
    return (
        f"rm -f {CHECKED}\n"
        f"( tries=0\n"
        f"  until {ask}; do\n"
        f"    tries=$((tries + 1)); [ $tries -le {_START_TRIES} ] || exit 1; sleep {_TENTH}\n"
        f"  done\n"
        f"  sleep {dns.checks.detection} && touch {CHECKED}\n"
        f") &\n"
        f"exec pdns_server --config-dir={folder}\n"
    )


def ready(dns: GeoDns) -> str:
    """Shell command that succeeds when the server answers and knows which regions serve."""
    return f"test -e {CHECKED} && {look_up(dns)}"


def look_up(dns: GeoDns, port: int = PORT) -> str:
    """Shell command that succeeds when the server answers for the name; it begins the checks."""
    # Without a limit it waits for ten seconds when the server is not there yet.
    ask = f"timeout 1 sdig 127.0.0.1 {port} {dns.name} {_kinds(dns)[0]}"
    return f"{ask} 2>/dev/null | grep -q 'Rcode: 0 '"


def test_script(dns: GeoDns, folder: str) -> str:
    """Shell lines that end with 0 when a server with these files answers for the name. A zone is
    read with its programs unread, so only an answer shows that they are sound."""
    own = f"--local-address=127.0.0.1 --local-port={_TEST_PORT} --socket-dir=$sockets"
    return (
        "sockets=$(mktemp -d)\n"
        f"pdns_server --config-dir={folder} {own} &\n"
        "server=$! tries=0 code=0\n"
        f"until {look_up(dns, _TEST_PORT)}; do\n"
        f"  tries=$((tries + 1)); [ $tries -le {_TEST_TRIES} ] || {{ code=1; break; }}\n"
        f"  sleep {_TENTH}\n"
        "done\n"
        "kill $server; wait $server\n"
        "rm -rf $sockets\n"
        "exit $code\n"
    )
