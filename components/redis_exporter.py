"""The exporter of Redis' figures, wherever it runs: its image, its address, its variable."""

IMAGE = "oliver006/redis_exporter:v1.74.0-alpine"

PORT = 9121
METRICS_PATH = "/metrics"
HEALTH_PATH = "/health"
"""Answered 200 by the exporter itself, whatever Redis does."""

URL_VARIABLE = "REDIS_ADDR"
"""Where it is told Redis' URL, the password in it."""
