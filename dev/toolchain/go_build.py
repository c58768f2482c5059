"""Builds a tool from Go modules into the cache; the recipe's go.sum pins every byte."""

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from dev.toolchain import pins, places, steps

LINKER = "-s -w"
BUILD_LIMIT_SECONDS = 2400


def cached(name: str, version: str) -> bool:
    """True when the recipe's result is there already."""
    return _result(name, version).exists()


def build(name: str, version: str, expected: str, compile_in: Callable[[Path, Path], None]) -> Path:
    """The cached result folder of a recipe, built first if it is not there.

    ``compile_in(source, target)`` gets a scratch copy of the recipe folder and the folder that
    it fills. The result appears in the cache in one rename, so a broken build leaves nothing.
    """
    recipe, result = places.RECIPES / name, _result(name, version)
    if result.exists():
        return result
    _require_go()
    with (
        steps.step(f"{name} {version} from Go modules (once; {expected} on 2 cores)"),
        tempfile.TemporaryDirectory(dir=places.cache(), prefix="build-") as scratch,
    ):
        source, target = Path(scratch) / "source", Path(scratch) / "target"
        shutil.copytree(recipe, source)
        target.mkdir()
        compile_in(source, target)
        target.rename(result)
    return result


def go(source: Path, *argv: str, log: str) -> None:
    """Run ``go`` in a recipe's scratch copy."""
    steps.run(
        ["go", *argv],
        limit=BUILD_LIMIT_SECONDS,
        cure="check that Go reaches a module proxy (go env GOPROXY), then run this again",
        log=log,
        cwd=source,
        env={"GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0"},
    )


def module_directory(source: Path, module: str) -> Path:
    """Where Go keeps the sources of a module of the recipe."""
    found = steps.output_of(["go", "-C", str(source), "list", "-m", "-f", "{{.Dir}}", module])
    if not found or not found.strip():
        raise steps.SetupError(
            f"the Go module {module} is not in the module cache",
            "remove the build-* folders of the cache and run this again",
        )
    return Path(found.strip())


def _require_go() -> None:
    found = steps.output_of(["go", "version"]) or ""
    match = re.search(r"go(\d+)\.(\d+)", found)
    if match and (int(match[1]), int(match[2])) >= pins.GO_MINIMUM:
        return
    wanted = ".".join(map(str, pins.GO_MINIMUM))
    raise steps.SetupError(
        f"Go {wanted} or newer is needed ({found.strip() or 'go is not on PATH'})",
        "install Go (https://go.dev/dl), or install Pulumi itself "
        "(https://www.pulumi.com/docs/install), which needs no Go",
    )


def _result(name: str, version: str) -> Path:
    return places.cache() / f"{name}-{version}-{places.fingerprint(places.RECIPES / name)}"
