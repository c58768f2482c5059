"""The event loop of processes that share one listening socket."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

ACCEPT_PAUSE_SECONDS = 0.001
"""How long a process leaves new connections to the others after it has taken one."""


class SpreadingLoop(asyncio.SelectorEventLoop):
    """Shares new connections with the other workers.

    asyncio accepts as many waiting connections as the backlog is long before it does anything
    else, and a worker that mostly sleeps is always the first to be there: it would take a whole
    burst. KATO's workers compute, so that the others get their part.
    """

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        *,
        sock: socket.socket,
        backlog: int = 100,
        **options: Any,
    ) -> asyncio.Server:
        """Listen with the full backlog, but accept as if it were 1, and pause after each."""

        def pause_first() -> asyncio.Protocol:
            time.sleep(ACCEPT_PAUSE_SECONDS)
            return protocol_factory()

        server = await super().create_server(pause_first, sock=sock, backlog=1, **options)
        sock.listen(backlog)
        return server
