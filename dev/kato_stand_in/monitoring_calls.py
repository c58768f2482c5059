"""The calls that watch the server. None of them says more than this process knows."""

import os
import time
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import PlainTextResponse

from .parts import Parts, PartsHere

Answer = dict[str, Any]

BUSY = 0.8
"""Load per core above which /health says "degraded"."""

router = APIRouter()
metric_lines = """\
# TYPE kato_uptime_seconds gauge
kato_uptime_seconds {uptime:.3f}
# TYPE kato_requests_total counter
kato_requests_total {requests}
# TYPE kato_request_errors_total counter
kato_request_errors_total {errors}
# TYPE kato_active_sessions gauge
kato_active_sessions {sessions}
"""


@router.get("/")
async def root(parts: PartsHere) -> Answer:
    """What this is; touches no store."""
    return {
        "service": "KATO",
        "version": parts.settings.profile.name,
        "docs": "/docs",
        "health": "/health",
        "status": "running",
        "uptime_seconds": parts.uptime,
    }


@router.get("/health")
async def health(parts: PartsHere) -> Answer:
    """Always 200, whatever the stores do; waits for ever if Redis hangs."""
    # As in KATO the status follows the load of the whole host, not of this process.
    busy = os.getloadavg()[0] / (os.cpu_count() or 1) > BUSY
    answer: Answer = {
        "status": "degraded" if busy else "healthy",
        "processor_status": "healthy",
        "service_name": parts.settings.service_name,
        "uptime_seconds": parts.uptime,
        "issues": ["High CPU usage"] if busy else [],
        "metrics_collected": 4,
        "last_collection": parts.started,
        "active_sessions": await parts.sessions.count(),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    if parts.settings.profile.worker_pid_in_health:
        answer["worker_pid"] = os.getpid()
    return answer


@router.get("/status")
async def status(parts: PartsHere) -> Answer:
    """Touches no store; gives away the address of Redis, password included, as KATO does."""
    return {
        "status": "healthy",
        "base_processor_id": parts.settings.service_name,
        "uptime_seconds": parts.uptime,
        "sessions": {
            "redis_url": parts.settings.redis_url,
            "default_ttl_seconds": parts.settings.session_ttl,
            "auto_extend": parts.settings.session_auto_extend,
        },
        "processors": {},
        "version": parts.settings.profile.name,
    }


async def collect(parts: Parts) -> Answer:
    """The figures of GET /metrics."""
    return {
        "timestamp": time.time(),
        "uptime_seconds": parts.uptime,
        "sessions": {"active": await parts.sessions.count()},
        "performance": {
            "total_requests": parts.traffic.requests,
            "total_errors": parts.traffic.errors,
            "average_response_time_ms": parts.traffic.mean_milliseconds,
        },
        "resources": {"load_average_1m": os.getloadavg()[0], "cpu_count": os.cpu_count()},
    }


@router.get("/metrics")
async def metrics(parts: PartsHere) -> Answer:
    """JSON, not the Prometheus format; up to METRICS_CACHE_TTL_SECONDS old."""
    return await parts.metrics.get()


@router.get("/metrics-prom")
async def prometheus(parts: PartsHere) -> PlainTextResponse:
    """The Prometheus text format; unknown before release 3.10.2."""
    if not parts.settings.profile.prometheus:
        raise HTTPException(404)
    text = metric_lines.format(
        uptime=parts.uptime,
        requests=parts.traffic.requests,
        errors=parts.traffic.errors,
        sessions=await parts.sessions.count(),
    )
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


@router.get("/connection-pools")
async def connection_pools() -> Answer:
    """Degraded for ever: Qdrant is never used here."""
    return {"status": "degraded", "pools": {}}


# What these contain in KATO is not reproduced; dashboards only need them to answer.
@router.get("/stats")
@router.get("/concurrency")
@router.get("/cache/stats")
@router.get("/distributed-stm/stats")
async def empty_statistics(request: Request) -> Answer:
    """No figures."""
    return {"timestamp": time.time(), "source": request.url.path, "statistics": {}}


@router.post("/cache/invalidate")
async def invalidate_cache(session_id: str | None = None) -> Answer:
    """There is no cache."""
    return {"status": "success", "session_id": session_id}
