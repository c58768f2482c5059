"""Images for the cluster's containerd: no registry is asked, all come from this machine."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import commands, layout
from dev.toolchain import steps

_ID_LABEL = "kato-lb/source"
_IMPORT_LIMIT_SECONDS = 300


@dataclass(frozen=True)
class ProgramImage:
    """An image of one static program and nothing else."""

    name: str
    program: Path


def answers() -> bool:
    """True when the cluster's containerd takes requests."""
    return commands.succeeds([*_ctr(), "version"], limit=5)


def load(names: Sequence[str]) -> None:
    """Copy Docker's images of these names into the cluster, unless the same ones are there."""
    missing = [name for name in dict.fromkeys(names) if not _there(name, _docker_id(name))]
    if not missing:
        return
    with steps.step(f"loading {', '.join(missing)} into the cluster"):
        _import_from_docker(missing)
        for name in missing:
            _mark(name, _docker_id(name))


def ensure_programs(images: Iterable[ProgramImage]) -> None:
    """Make and import the images of the cluster's own programs."""
    for image in images:
        source = str(image.program)
        if _there(image.name, source):
            continue
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(archive(image.name, image.program.name, image.program.read_bytes()))
            file.flush()
            commands.done([*_ctr(), "images", "import", file.name], limit=_IMPORT_LIMIT_SECONDS)
        _mark(image.name, source)


def reference(name: str) -> str:
    """The full name under which the kubelet looks for an image of a pod."""
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if rest else f"docker.io/library/{name}"


def archive(name: str, command: str, program: bytes) -> bytes:
    """An image in the format of ``docker save`` with one file and nothing else."""
    layer = _tar({command: (program, 0o755)})
    configuration = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "os": "linux",
        "config": {"Entrypoint": [f"/{command}"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    return _tar(
        {
            "config.json": (json.dumps(configuration).encode(), 0o644),
            "layer.tar": (layer, 0o644),
            "manifest.json": (json.dumps(manifest).encode(), 0o644),
        }
    )


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, (content, mode) in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _ctr() -> list[str]:
    return ["ctr", "--address", str(layout.CONTAINERD_SOCKET), "--namespace", "k8s.io"]


def _there(name: str, source: str) -> bool:
    wanted = f'name=={reference(name)},labels."{_ID_LABEL}"=={_label(source)}'
    return bool(commands.done([*_ctr(), "images", "list", "--quiet", wanted]).strip())


def _mark(name: str, source: str) -> None:
    label = f"{_ID_LABEL}={_label(source)}"
    commands.done([*_ctr(), "images", "label", reference(name), label])


def _label(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def _docker_id(name: str) -> str:
    found = steps.output_of(["docker", "image", "inspect", "--format", "{{.Id}}", name])
    if found is None:
        raise steps.SetupError(
            f"Docker has no image {name}", "build it (make images) or pull it, then run this again"
        )
    return found.strip()


def _import_from_docker(names: Sequence[str]) -> None:
    with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saving:
        try:
            result = subprocess.run(
                [*_ctr(), "images", "import", "-"],
                stdin=saving.stdout,
                capture_output=True,
                text=True,
                timeout=_IMPORT_LIMIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            saving.kill()
            raise steps.SetupError(
                f"importing images took over {_IMPORT_LIMIT_SECONDS} s", "free the machine's disk"
            ) from None
        if saving.stdout is not None:
            saving.stdout.close()
    if saving.returncode or result.returncode:
        raise steps.SetupError(
            f"images could not be loaded: {result.stderr.strip()}",
            f"see {layout.LOGS / 'containerd.log'}",
        )
