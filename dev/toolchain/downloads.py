"""Official downloads, given up quickly where they are out of reach."""

import platform
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from dev.toolchain import places, steps

CONNECT_SECONDS = 5
RELEASES = "https://get.pulumi.com/releases/sdk"

_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def pulumi(version: str, releases: str = RELEASES) -> Path | None:
    """The folder of an official Pulumi release in the cache, or None when it can't be had.

    A release holds the CLI, the Python language host and its scripts side by side.
    """
    result = places.cache() / f"pulumi-release-{version}"
    if result.exists():
        return result
    architecture = _ARCHITECTURES.get(platform.machine().lower())
    if architecture is None:
        return None
    name = f"pulumi-v{version}-{platform.system().lower()}-{architecture}.tar.gz"
    places.cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=places.cache(), prefix="download-") as scratch:
        archive = Path(scratch) / name
        try:
            with (
                urllib.request.urlopen(f"{releases}/{name}", timeout=CONNECT_SECONDS) as response,  # noqa: S310
                archive.open("wb") as file,
            ):
                shutil.copyfileobj(response, file)
            with tarfile.open(archive) as content:
                content.extractall(scratch, filter="data")
            (Path(scratch) / "pulumi").rename(result)
        except (urllib.error.URLError, OSError, EOFError, tarfile.TarError) as error:
            steps.say(f"the official Pulumi download is out of reach ({error})")
            return None
    return result
