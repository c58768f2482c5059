"""Kubeconfig files: how a client reaches the cluster and as whom."""

import base64
import os
from pathlib import Path

from dev.cluster import certificates, layout


def write(path: Path, identity: str) -> None:
    """Write a kubeconfig for one identity; nobody but the owner may read it."""
    text = render(
        layout.API_URL,
        authority=certificates.certificate("ca").read_bytes(),
        certificate=certificates.certificate(identity).read_bytes(),
        key=certificates.key(identity).read_bytes(),
    )
    replace(path, text)


def replace(path: Path, text: str) -> None:
    """Put a private file in place in one step, unless it has this text already.

    A symbolic link there is replaced, not followed.
    """
    if path.is_file() and not path.is_symlink() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def render(url: str, *, authority: bytes, certificate: bytes, key: bytes) -> str:
    """The text of a kubeconfig that carries its certificates in itself."""
    return f"""\
apiVersion: v1
kind: Config
clusters:
  - name: kato-lb
    cluster:
      server: {url}
      certificate-authority-data: {_encoded(authority)}
users:
  - name: kato-lb
    user:
      client-certificate-data: {_encoded(certificate)}
      client-key-data: {_encoded(key)}
contexts:
  - name: kato-lb
    context: {{cluster: kato-lb, user: kato-lb}}
current-context: kato-lb
"""


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
