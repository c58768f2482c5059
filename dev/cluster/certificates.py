"""The keys and certificates of the cluster, made with openssl and valid on this machine only."""

from dataclasses import dataclass
from pathlib import Path

from dev.cluster import layout
from dev.toolchain import steps

_DAYS = "3650"
_SERVER_NAMES = (
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    f"DNS:kubernetes.default.svc.{layout.CLUSTER_DOMAIN}",
    "DNS:localhost",
    "IP:127.0.0.1",
    f"IP:{layout.NODE_ADDRESS}",
    f"IP:{layout.API_SERVICE_ADDRESS}",
)


@dataclass(frozen=True)
class Identity:
    """A certificate: who it names (``group`` is what RBAC calls a group) and who signed it."""

    file: str
    name: str
    group: str = ""
    authority: str = "ca"
    server: bool = False


IDENTITIES = (
    Identity("admin", "kato-lb-admin", "system:masters"),
    Identity("apiserver", "kube-apiserver", server=True),
    Identity("apiserver-kubelet", "kube-apiserver-kubelet", "system:masters"),
    Identity("apiserver-etcd", "kube-apiserver-etcd", authority="etcd-ca"),
    Identity("etcd", "etcd", authority="etcd-ca", server=True),
    Identity("front-proxy", "front-proxy-client", authority="front-proxy-ca"),
    Identity("controller-manager", "system:kube-controller-manager"),
    Identity("scheduler", "system:kube-scheduler"),
    Identity("kube-proxy", "system:kube-proxy"),
    Identity("kubelet", f"system:node:{layout.NODE_NAME}", "system:nodes"),
)
AUTHORITIES = ("ca", "etcd-ca", "front-proxy-ca")


def certificate(file: str) -> Path:
    """The certificate of an identity or authority."""
    return layout.CERTIFICATES / f"{file}.crt"


def key(file: str) -> Path:
    """The private key of an identity or authority."""
    return layout.CERTIFICATES / f"{file}.key"


def ensure() -> None:
    """Make every certificate that is not there yet."""
    layout.CERTIFICATES.mkdir(parents=True, exist_ok=True)
    layout.CERTIFICATES.chmod(0o700)
    for authority in AUTHORITIES:
        if not certificate(authority).exists():
            _new_authority(authority)
    for identity in IDENTITIES:
        if not certificate(identity.file).exists():
            _sign(identity)
    if not key("service-accounts").exists():
        _new_key("service-accounts")


def extensions(identity: Identity) -> str:
    """The part of an openssl configuration that says what the certificate is good for."""
    lines = [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        f"extendedKeyUsage=clientAuth{',serverAuth' if identity.server else ''}",
    ]
    if identity.server:
        lines.append(f"subjectAltName={','.join(_SERVER_NAMES)}")
    return "\n".join(lines) + "\n"


def subject(identity: Identity) -> str:
    """The subject as openssl takes it."""
    return f"{f'/O={identity.group}' if identity.group else ''}/CN={identity.name}"


def _new_key(file: str) -> None:
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key(file)))
    key(file).chmod(0o600)


def _new_authority(file: str) -> None:
    _new_key(file)
    _openssl(
        "req", "-x509", "-new", "-key", str(key(file)), "-days", _DAYS,
        "-subj", f"/CN=kato-lb-{file}", "-out", str(certificate(file)),
        "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
    )  # fmt: skip


def _sign(identity: Identity) -> None:
    _new_key(identity.file)
    request = layout.CERTIFICATES / f"{identity.file}.csr"
    wanted = layout.CERTIFICATES / f"{identity.file}.cnf"
    wanted.write_text(extensions(identity))
    _openssl(
        "req", "-new", "-key", str(key(identity.file)), "-subj", subject(identity),
        "-out", str(request),
    )  # fmt: skip
    _openssl(
        "x509", "-req", "-in", str(request), "-days", _DAYS, "-extfile", str(wanted),
        "-CA", str(certificate(identity.authority)), "-CAkey", str(key(identity.authority)),
        "-CAcreateserial", "-out", str(certificate(identity.file)),
    )  # fmt: skip
    request.unlink()
    wanted.unlink()


def _openssl(*arguments: str) -> None:
    steps.run(
        ["openssl", *arguments],
        limit=30,
        cure="on Debian: apt-get install openssl",
        log="cluster-openssl",
    )
