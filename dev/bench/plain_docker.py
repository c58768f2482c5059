"""The dev stack's containers by the docker client alone: what the machine itself needs."""

import subprocess
import time

_LIMIT_SECONDS = 60
_HEALTH = "python -c \"import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health')\""
_NGINX = (
    "mkdir -p /etc/kato; "
    "printf 'events{} http{ upstream k{ %s } "
    "server{ listen 8080; location / { proxy_pass http://k; } } }' > /etc/kato/nginx.conf; "
    "exec nginx -c /etc/kato/nginx.conf -g 'daemon off;'"
)


def up(prefix: str, port: int) -> float:
    """Start the containers and wait until each is healthy; the seconds that it took."""
    started = time.monotonic()
    _docker("network", "create", prefix)
    common = ["run", "-d", "--network", prefix, "--health-interval", "1s"]
    _docker(
        *common, "--name", f"{prefix}-redis", "--network-alias", "redis",
        "--health-cmd", "redis-cli ping", "kato-lb/redis:8.0",
        "redis-server", "--appendonly", "yes", "--protected-mode", "no",
    )  # fmt: skip
    names = [f"{prefix}-kato-{i}" for i in range(3)]
    for name in names:
        _docker(
            *common, "--name", name, "--health-cmd", _HEALTH,
            "-e", "REDIS_URL=redis://redis:6379", "-e", "REDIS_ENABLED=true",
            "-e", "KATO_WORKERS=1", "kato-lb/kato-stand-in:6.3.0",
        )  # fmt: skip
    servers = "".join(f"server {name}:8000;" for name in names)
    _docker(
        *common, "--name", f"{prefix}-nginx", "-p", f"127.0.0.1:{port}:8080",
        "--health-cmd", "curl -fsS http://127.0.0.1:8080/health",
        "kato-lb/nginx:1.30", "sh", "-c", _NGINX.replace("%s", servers),
    )  # fmt: skip
    for name in [f"{prefix}-redis", *names, f"{prefix}-nginx"]:
        _wait_healthy(name)
    return time.monotonic() - started


def down(prefix: str) -> None:
    """Remove what ``up`` made."""
    names = [f"{prefix}-{part}" for part in ("redis", "kato-0", "kato-1", "kato-2", "nginx")]
    subprocess.run(
        ["docker", "rm", "-f", "-v", *names],
        capture_output=True,
        check=False,
        timeout=_LIMIT_SECONDS,
    )
    subprocess.run(
        ["docker", "network", "rm", prefix],
        capture_output=True,
        check=False,
        timeout=_LIMIT_SECONDS,
    )


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], check=True, capture_output=True, text=True, timeout=_LIMIT_SECONDS
    )
    return done.stdout.strip()


def _wait_healthy(name: str) -> None:
    deadline = time.monotonic() + _LIMIT_SECONDS
    while _docker("inspect", "-f", "{{.State.Health.Status}}", name) != "healthy":
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} was not healthy within {_LIMIT_SECONDS} s")
        time.sleep(0.05)
