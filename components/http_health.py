"""A container's health by HTTP, asked from inside it."""

from collections.abc import Sequence


def answers(port: int, path: str) -> Sequence[str]:
    """Docker's HEALTHCHECK test that succeeds when ``path`` is answered on ``port`` of the
    container itself, with whichever client the image has: curl, wget (Alpine), or nothing but
    bash."""
    url = f"http://127.0.0.1:{port}{path}"
    by_bash = (
        f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3 "
        "&& head -n 1 <&3 | grep -q ' 200'"
    )
    return ["CMD-SHELL", f'curl -fsS {url} || wget -qO- {url} || bash -c "{by_bash}"']
