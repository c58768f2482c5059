"""Counts of this process's own requests, for the metrics calls."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Traffic:
    """Running totals."""

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.seconds = 0.0
        """Sum of the times that requests took."""

    @property
    def mean_milliseconds(self) -> float:
        """Mean time of a request; 0 before the first."""
        return 1000 * self.seconds / self.requests if self.requests else 0.0


class TrafficMiddleware:
    """Counts requests and answers with a status of 500 or more."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.monotonic()

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 500:
                self._traffic.errors += 1
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            self._traffic.requests += 1
            self._traffic.seconds += time.monotonic() - start
