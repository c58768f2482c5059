"""The programs of the cluster, built from Go modules into the set-up's cache."""

import shutil
from collections.abc import Callable
from pathlib import Path

from dev.toolchain import go_build, pins, steps


def kubernetes() -> Path:
    """API server, controller manager, scheduler, kubelet and kube-proxy in one file."""
    version = f"-X k8s.io/component-base/version.gitVersion=v{pins.KUBERNETES}"
    return _compile("kubernetes", pins.KUBERNETES, "about 5 min", linker=version)


def coredns() -> Path:
    """The cluster's name server."""
    return _compile("coredns", pins.COREDNS, "about 1 min")


def metrics_server() -> Path:
    """What autoscaling reads CPU and memory from."""
    package = "sigs.k8s.io/metrics-server/cmd/metrics-server"
    return _compile("metrics-server", pins.METRICS_SERVER, "about 2 min", package=package)


def kube_router() -> Path:
    """What enforces network policies."""
    package = "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
    return _compile("kube-router", pins.KUBE_ROUTER, "about 1 min", package=package)


def pause() -> Path:
    """What holds a pod's network namespace."""
    return _compile("pause", pins.CLUSTER_OWN, "a few seconds")


def storage() -> Path:
    """What makes a volume for a claim."""
    return _compile("storage", pins.CLUSTER_OWN, "about 1 min")


def traefik() -> Path:
    """The ingress and gateway controller."""
    module = "github.com/traefik/traefik/v3"

    def compile_in(source: Path, target: Path) -> None:
        # The folder without the replacement has the go.sum that pins the module's own contents.
        go_build.go(source / "download", "mod", "download", module, log="go-traefik-1")
        original = go_build.module_directory(source / "download", module)
        copy = source / "source"
        shutil.copytree(original, copy, copy_function=shutil.copyfile)
        for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        page = copy / "webui" / "static" / "index.html"
        page.parent.mkdir(exist_ok=True)
        page.write_text("The dashboard is not part of this build.\n")
        _go_build(source, target / "traefik", f"{module}/cmd/traefik", log="go-traefik-2")

    return _build("traefik", pins.TRAEFIK, "about 4 min", compile_in) / "traefik"


def gateway_api() -> Path:
    """Folder of the Gateway API's resource definitions, the standard channel."""
    return _definitions(
        "gateway-api",
        pins.GATEWAY_API,
        module="sigs.k8s.io/gateway-api",
        files="config/crd/standard/gateway.networking.k8s.io_*.yaml",
    )


def prometheus_operator() -> Path:
    """Folder of the definitions of what the Prometheus operator reads (monitoring.coreos.com)."""
    return _definitions(
        "prometheus-operator",
        pins.PROMETHEUS_OPERATOR,
        module="github.com/prometheus-operator/prometheus-operator",
        files="example/prometheus-operator-crd/monitoring.coreos.com_*.yaml",
    )


def external_dns() -> Path:
    """Folder of the definition of ExternalDNS' DNSEndpoint."""
    return _definitions(
        "external-dns",
        pins.EXTERNAL_DNS,
        module="sigs.k8s.io/external-dns",
        files="config/crd/standard/dnsendpoints.externaldns.k8s.io.yaml",
    )


def ensure_all() -> None:
    """Build whatever is missing, one after the other."""
    for recipe in (kubernetes, coredns, metrics_server, kube_router, pause, storage):
        recipe()


def _definitions(name: str, version: str, *, module: str, files: str) -> Path:
    """Folder of the resource definitions that a module holds at ``files``, a pattern."""

    def copy_in(source: Path, target: Path) -> None:
        go_build.go(source, "mod", "download", module, log=f"go-{name}")
        found = sorted(go_build.module_directory(source, module).glob(files))
        if not found:
            raise steps.SetupError(
                f"{module} {version} has no {files}",
                "find where it keeps them now and change dev/cluster/recipes.py",
            )
        for file in found:
            shutil.copyfile(file, target / file.name)

    return _build(name, version, "a few seconds", copy_in)


def _compile(
    name: str, version: str, expected: str, *, package: str = ".", linker: str = ""
) -> Path:
    def compile_in(source: Path, target: Path) -> None:
        _go_build(source, target / name, package, linker=linker, log=f"go-{name}")

    return _build(name, version, expected, compile_in) / name


def _build(
    name: str, version: str, expected: str, compile_in: Callable[[Path, Path], None]
) -> Path:
    # What is there already must not wait for another set-up that is building something.
    if go_build.cached(name, version):
        return go_build.build(name, version, expected, compile_in)
    with steps.only_one():
        return go_build.build(name, version, expected, compile_in)


def _go_build(source: Path, result: Path, package: str, *, log: str, linker: str = "") -> None:
    flags = f"{go_build.LINKER} {linker}".strip()
    go_build.go(
        source, "build", "-trimpath", "-ldflags", flags, "-o", str(result), package, log=log
    )
