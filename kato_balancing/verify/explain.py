"""What a failed request means, in plain words."""

from collections.abc import Mapping
from typing import Final

_MEANINGS: Final = {
    "404": "the session is unknown where it arrived: KATO says so too when Redis fails, or when "
    "REDIS_URL is unset and every process keeps its own sessions",
    "405": "the method is not allowed there: this is not KATO's address",
    "413": "the balancer takes smaller bodies only: raise its limit to 100 MB",
    "422": "KATO does not accept the body: it speaks another version of the interface",
    "429": "a rate limit refused it: raise the limit for this client",
    "500": "KATO failed inside: look into its log; mostly Redis or ClickHouse is away",
    "502": "the balancer got no answer from a server: it is down, or it closed an idle connection "
    "that the balancer used again (keep the balancer's idle timeout under KATO's 5 s)",
    "503": "no server was free or healthy: look at the balancer's health checks, its queue limit "
    "and KATO's concurrency limit",
    "504": "a server did not answer in the balancer's time: it hangs, or the read timeout is too "
    "short",
    "ConnectError": "no connection: nothing listens there, or the name or certificate is wrong",
    "ConnectTimeout": "no connection in time: the host is away or a firewall drops the packets",
    "PoolTimeout": "no free connection of this client in time: the answers are too slow",
    "ReadTimeout": "no answer in time: a server hangs, or raise the timeout",
    "WriteTimeout": "the request was not taken in time: a server hangs",
    "OutOfTime": "no whole answer in time: a server hangs, or raise the timeout",
    "ReadError": "the connection broke before the answer: the balancer was restarted or reloaded",
    "WriteError": "the connection broke while sending: the balancer was restarted or reloaded",
    "RemoteProtocolError": "the balancer closed the connection without an answer: it was "
    "reloaded, or its idle timeout for clients is shorter than the pause between requests",
}


def meaning(kind: str) -> str:
    """What a failure of this kind (a status code or an exception's name) means."""
    if kind in _MEANINGS:
        return _MEANINGS[kind]
    if kind.startswith("3"):
        return "the balancer redirects: use the address it redirects to"
    if kind in {"401", "403"}:
        return "access is refused: let this client through"
    return "not an answer that KATO gives to this request"


def failures_in_words(kinds: Mapping[str, int]) -> tuple[str, ...]:
    """A sentence for each kind of failure, the most frequent first."""
    ranked = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    return tuple(f"{count} x {kind}: {meaning(kind)}." for kind, count in ranked)
