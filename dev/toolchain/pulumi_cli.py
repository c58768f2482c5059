"""The Pulumi CLI and its language hosts, gathered in ``.state/bin`` when not on PATH."""

import os
import re
import shutil
from pathlib import Path

from dev.toolchain import downloads, go_build, pins, places, steps

_CLI_MODULE = "github.com/pulumi/pulumi/pkg/v3"
_SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
_YAML_HOST = "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"
_SDK_SCRIPTS = (
    "python/cmd/pulumi-language-python-exec",
    "python/dist/pulumi-resource-pulumi-python",
)


def ensure() -> bool:
    """Make ``pulumi`` usable; True when it is the user's own, from PATH."""
    if _on_path():
        return True
    release = None if go_build.cached("pulumi", pins.PULUMI) else downloads.pulumi(pins.PULUMI)
    tools = release or go_build.build("pulumi", pins.PULUMI, "about 4 min", _compile)
    for tool in tools.iterdir():
        _link(tool)
    return False


def ensure_yaml() -> None:
    """Make programs in YAML runnable; an official CLI has all its hosts beside it."""
    if is_official():
        return
    tools = go_build.build("pulumi-language-yaml", pins.YAML_HOST, "about 2 min", _compile_yaml)
    for tool in tools.iterdir():
        _link(tool)


def is_official() -> bool:
    """False when the CLI was built here, because official downloads were out of reach."""
    return not go_build.cached("pulumi", pins.PULUMI) or _on_path()


def home() -> Path:
    """Pulumi's own folder (plugins, credentials) when the CLI is not the user's own."""
    return places.cache() / "pulumi-home"


def environment() -> dict[str, str]:
    """What a process needs to run the CLI that ``ensure`` made usable."""
    if not (places.BIN / "pulumi").exists():
        return {}
    return {"PATH": f"{places.BIN}{os.pathsep}{os.environ['PATH']}", "PULUMI_HOME": str(home())}


def _on_path() -> bool:
    path = os.pathsep.join(
        part for part in os.environ["PATH"].split(os.pathsep) if Path(part) != places.BIN
    )
    if not shutil.which("pulumi", path=path) or not shutil.which(
        "pulumi-language-python", path=path
    ):
        return False
    found = re.match(r"v?(\d+)\.(\d+)", steps.output_of(["pulumi", "version"]) or "")
    return found is not None and (int(found[1]), int(found[2])) >= pins.PULUMI_MINIMUM


def _compile(source: Path, target: Path) -> None:
    go_build.go(
        source, "build", "-trimpath", "-ldflags",
        f"{go_build.LINKER} -X {_SDK_MODULE}/go/common/version.Version=v{pins.PULUMI}",
        "-o", str(target / "pulumi"), f"{_CLI_MODULE}/cmd/pulumi",
        log="go-pulumi",
    )  # fmt: skip
    # Pulumi's own Python host is not obtainable as a Go module.
    go_build.go(
        source, "build", "-trimpath", "-ldflags", go_build.LINKER,
        "-o", str(target / "pulumi-language-python"), "./language-host",
        log="go-pulumi-language-python",
    )  # fmt: skip
    sdk = go_build.module_directory(source, _SDK_MODULE)
    for script in _SDK_SCRIPTS:
        copy = target / Path(script).name
        shutil.copyfile(sdk / script, copy)
        copy.chmod(0o755)


def _compile_yaml(source: Path, target: Path) -> None:
    go_build.go(
        source, "build", "-trimpath", "-ldflags", go_build.LINKER,
        "-o", str(target / "pulumi-language-yaml"), _YAML_HOST,
        log="go-pulumi-language-yaml",
    )  # fmt: skip


def _link(tool: Path) -> None:
    """Hard links: the CLI takes for its own the hosts beside the file that it runs from."""
    places.BIN.mkdir(parents=True, exist_ok=True)
    link = places.BIN / tool.name
    if (
        not link.is_symlink()
        and link.exists()
        and link.stat().st_mtime_ns == tool.stat().st_mtime_ns
    ):
        return
    link.unlink(missing_ok=True)
    try:
        link.hardlink_to(tool)
    except OSError:  # another file system
        shutil.copy2(tool, link)
