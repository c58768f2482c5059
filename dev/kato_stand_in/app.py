"""The ASGI application of one process."""

import asyncio
import logging
import multiprocessing
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from . import control, events, monitoring_calls, session_calls
from .caching import Cached
from .environment import Settings, settings_from
from .faults import FaultMiddleware, Faults
from .headers import FixedHeaders, SessionGuard, TraceId
from .parts import Parts
from .sessions import INDEX_KEY, Sessions
from .storage import STORAGE_ERRORS, MemoryStorage, RedisStorage, Storage, connect
from .traffic import Traffic, TrafficMiddleware
from .work import Work

if TYPE_CHECKING:
    from redis.asyncio import Redis

BOOT_ATTEMPTS = 5

logger = logging.getLogger("uvicorn.error")


def create_app(
    settings: Settings | None = None,
    redis: "Redis | None" = None,
    clock: Callable[[], float] = time.time,
) -> ASGIApp:
    """Build the application from the environment, or from the given parts in tests."""
    settings = settings or settings_from(os.environ)
    if redis is None and settings.redis_url:
        redis = connect(settings.redis_url)
    storage: Storage = RedisStorage(redis, INDEX_KEY) if redis else MemoryStorage(clock)
    sessions = Sessions(storage, settings.session_ttl, settings.session_auto_extend, clock)
    channel_client = redis if settings.profile.events_through_redis else None

    async def collect() -> dict[str, object]:
        return await monitoring_calls.collect(parts)

    parts = Parts(
        settings=settings,
        sessions=sessions,
        work=Work(settings),
        events=events.Events(channel_client, settings.events_channel),
        faults=Faults(settings.fault),
        traffic=Traffic(),
        session_count=Cached(sessions.count, settings.session_count_cache, clock),
        metrics=Cached(collect, settings.metrics_cache, clock),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await _wait_for(storage, settings.boot)
        async with parts.events.running():
            yield
        await storage.close()

    app = FastAPI(title="KATO", version=settings.profile.name, lifespan=lifespan)
    app.state.parts = parts
    for module in (session_calls, monitoring_calls, events, control):
        app.include_router(module.router)
    # Innermost first.
    app.add_middleware(SessionGuard, is_live=sessions.is_live)
    app.add_middleware(TraceId)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["*"],
        allow_headers=["*"],
        allow_credentials=settings.profile.cors_credentials,
    )
    app.add_middleware(TrafficMiddleware, traffic=parts.traffic)
    # These two are outside of what FastAPI wraps, so that plain-text 500s pass through them too.
    mark = [(b"x-stand-in", f"{socket.gethostname()}:{os.getpid()}".encode())]
    return FaultMiddleware(FixedHeaders(app, mark), parts.faults, mark)


async def _wait_for(storage: Storage, seconds: float) -> None:
    """Return when the storage answers; end the start of this process if it does not in time."""
    deadline = time.monotonic() + seconds
    pause = seconds / BOOT_ATTEMPTS
    while True:
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await storage.ping()
            return
        except (*STORAGE_ERRORS, TimeoutError) as error:
            if time.monotonic() + pause < deadline:
                await asyncio.sleep(pause)
                continue
            if multiprocessing.parent_process() is not None:
                # uvicorn's newer parents stop when a child fails to start (exit status 3);
                # the one in KATO's image starts the next child, for ever. Hence another status.
                logger.error("Application startup failed. Exiting.")
                logging.shutdown()
                os._exit(1)
            raise RuntimeError(f"Redis cannot be reached: {error}") from error
