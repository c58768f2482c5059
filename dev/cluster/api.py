"""A small client of the Kubernetes API on the standard library, for the set-up alone."""

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from dev.cluster import certificates, layout
from dev.toolchain import steps

_POLL_SECONDS = 0.2


def get(path: str, *, limit: float = 5) -> Any:
    """The answer to a GET as JSON, or None when there is none."""
    text = request("GET", path, limit=limit)
    return None if text is None else json.loads(text)


def ready() -> bool:
    """True when the API server says that it is ready."""
    return request("GET", "/readyz", limit=3) is not None


def request(
    method: str, path: str, body: bytes | None = None, *, kind: str = "", limit: float = 5
) -> bytes | None:
    """Send one request as the administrator; None when it is refused or not answered."""
    try:
        return _send(method, path, body, kind, limit)
    except (urllib.error.URLError, OSError):
        return None


def apply(path: str, manifest: bytes) -> None:
    """Create the object at the path or bring it to the manifest (JSON or YAML)."""
    url = f"{path}?fieldManager=kato-lb-cluster&force=true"
    try:
        _send("PATCH", url, manifest, "application/apply-patch+yaml", 30)
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        raise steps.SetupError(
            f"the cluster refused {path}: {text}", "run 'python3 -m dev.cluster down', then 'up'"
        ) from None
    except OSError as error:
        raise steps.SetupError(
            f"the API server did not take {path}: {error}", f"see {layout.LOGS}"
        ) from None


def wait(what: str, condition: Callable[[], bool], *, limit: float, see: str) -> None:
    """Return when the condition holds; SetupError when it does not within ``limit`` seconds."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > limit:
            raise steps.SetupError(f"{what}: not within {limit:.0f} s", f"see {see}")
        time.sleep(_POLL_SECONDS)


def _send(method: str, path: str, body: bytes | None, kind: str, limit: float) -> bytes:
    context = ssl.create_default_context(cafile=str(certificates.certificate("ca")))
    context.load_cert_chain(
        certfile=str(certificates.certificate("admin")), keyfile=str(certificates.key("admin"))
    )
    asked = urllib.request.Request(layout.API_URL + path, data=body, method=method)  # noqa: S310
    if kind:
        asked.add_header("Content-Type", kind)
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with urllib.request.build_opener(*handlers).open(asked, timeout=limit) as answer:
        content: bytes = answer.read()
    return content
