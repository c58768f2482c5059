"""The resource providers, installed into the plugin folder of the Pulumi in use."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from dev.toolchain import go_build, pins, pulumi_cli, steps

_OFFICIAL_LIMIT_SECONDS = 120


def ensure_docker() -> None:
    """Install the Docker provider: the official plugin, else one built from Go modules."""
    _ensure("docker", pins.DOCKER_PROVIDER, _build_docker)


def ensure_kubernetes() -> None:
    """Install the Kubernetes provider; only what deploys to a cluster needs it."""
    _ensure("kubernetes", pins.KUBERNETES_PROVIDER, _build_kubernetes)


def _ensure(name: str, version: str, build: Callable[[], Path]) -> None:
    if _installed(name, version):
        return
    install = [_pulumi(), "plugin", "install", "resource", name, version]
    if not go_build.cached(f"pulumi-resource-{name}", version) and pulumi_cli.is_official():
        try:
            with steps.step(f"{name} provider {version} (official plugin)"):
                _run(install, limit=_OFFICIAL_LIMIT_SECONDS, log=f"plugin-{name}")
            return
        except steps.SetupError as error:
            steps.say(f"the official {name} plugin can't be had: {str(error).splitlines()[0]}")
    _run([*install, "--reinstall", "--file", str(build())], limit=120, log=f"plugin-{name}")


def _installed(name: str, version: str) -> bool:
    folder = Path(
        os.environ.get("PULUMI_HOME")
        or pulumi_cli.environment().get("PULUMI_HOME")
        or Path.home() / ".pulumi"
    )
    return (folder / "plugins" / f"resource-{name}-v{version}").is_dir()


def _pulumi() -> str:
    return shutil.which("pulumi", path=pulumi_cli.environment().get("PATH")) or "pulumi"


def _run(argv: list[str], *, limit: float, log: str) -> None:
    steps.run(
        argv,
        limit=limit,
        cure="run 'pulumi plugin install' by hand with the same arguments to see more",
        log=log,
        env={**pulumi_cli.environment(), "PULUMI_SKIP_UPDATE_CHECK": "1"},
    )


def _build_docker() -> Path:
    name = "pulumi-resource-docker"

    def compile_in(source: Path, target: Path) -> None:
        info = f"kato-load-balancing/dev/toolchain/{name}/info"
        flags = f"{go_build.LINKER} -X {info}.Version={pins.DOCKER_PROVIDER}"
        build = ("build", "-trimpath", "-tags", "no_compose", "-ldflags", flags)
        go_build.go(source, *build, "-o", str(target / "schema"), "./schema", log="go-docker-1")
        schema = steps.output_of([str(target / "schema")], limit=120)
        if schema is None:
            raise steps.SetupError(
                "the Docker provider's schema could not be generated",
                f"run {target / 'schema'} by hand to see why",
            )
        json.loads(schema)
        (source / "schema.json").write_text(schema)
        (target / "schema").unlink()
        go_build.go(source, *build, "-o", str(target / name), ".", log="go-docker-2")

    return go_build.build(name, pins.DOCKER_PROVIDER, "about 2 min", compile_in) / name


def _build_kubernetes() -> Path:
    name = "pulumi-resource-kubernetes"
    module = "github.com/pulumi/pulumi-kubernetes/provider/v4"

    def compile_in(source: Path, target: Path) -> None:
        go_build.go(source, "mod", "download", module, log="go-kubernetes-1")
        command = go_build.module_directory(source, module) / "cmd" / name
        schema = json.loads((command / "schema.json").read_text())
        schema["version"] = pins.KUBERNETES_PROVIDER
        (source / "schema.json").write_text(json.dumps(schema))
        shutil.copyfile(command / "terraform-mapping.json", source / "terraform-mapping.json")
        flags = f"{go_build.LINKER} -X {module}/pkg/version.Version={pins.KUBERNETES_PROVIDER}"
        go_build.go(
            source, "build", "-trimpath", "-ldflags", flags, "-o", str(target / name), ".",
            log="go-kubernetes-2",
        )  # fmt: skip

    return go_build.build(name, pins.KUBERNETES_PROVIDER, "about 6 min", compile_in) / name
