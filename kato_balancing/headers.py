"""Header names that a balancer of this project and its checks agree on."""

from typing import Final

REVEAL_REQUEST_HEADER: Final = "X-Kato-Reveal"
"""Request header that asks the balancer to name the server which answered."""

REVEAL_REQUEST_VALUE: Final = "server"
"""The value of :data:`REVEAL_REQUEST_HEADER` that asks for the server's name."""

REVEAL_RESPONSE_HEADER: Final = "X-Kato-Server"
"""Response header with the server's name; a comma-separated list when the balancer tried several
servers, the last of which answered."""

SESSION_HEADER: Final = "X-Session-ID"
"""Request header that names a session where the path does not."""

REGION_HEADER: Final = "X-Kato-Region"
"""Request header with the region that the request's session lives in."""

REGION_HOP_HEADER: Final = "X-Kato-Region-Hop"
"""Request header with the region whose balancer sent the request on; such a request is never sent
on again."""

TRACE_HEADER: Final = "X-Trace-ID"
"""Response header that KATO puts on every answer its application made; an answer without it was
made in front of KATO."""
