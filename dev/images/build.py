"""Builds local images: a Debian base from debootstrap, then one Dockerfile stage each."""

import shutil
import tempfile
from pathlib import Path

from dev.images.catalogue import KATO_EXPORTER, KATO_STAND_IN, NAMESPACE, LocalImage
from dev.toolchain import debian_packages, places, steps

_FOLDER = Path(__file__).resolve().parent
_STAND_IN = places.ROOT / "dev" / "kato_stand_in"
_PACKAGE = places.ROOT / "kato_balancing"
_RECIPE_LABEL = "org.kato-lb.recipe"
_DEBOOTSTRAP = ("debootstrap", "debian-archive-keyring")
_VERSION_COMMANDS = {
    "nginx": ["nginx", "-v"],
    "haproxy": ["haproxy", "-v"],
    "redis": ["redis-server", "--version"],
    "prometheus": ["prometheus", "--version"],
}
_SOURCES = {
    KATO_STAND_IN: (_STAND_IN, "*.py"),
    KATO_EXPORTER: (_PACKAGE, "monitoring/**/*.py"),
}
"""Images with code of this repository: the context, and the files that make another image of it."""


def build(image: LocalImage) -> bool:
    """Build the image unless one of the same recipe is there; True when it was built."""
    recipe = _recipe(image)
    if _label(image.name) == recipe:
        return False
    base = _base(image.release)
    with steps.step(f"local image {image.name} (Debian {image.release})"):
        context, _ = _SOURCES.get(image, (_FOLDER, ""))
        steps.run(
            [
                "docker", "build", "--quiet", "--network", "host",
                "--file", str(_FOLDER / "Dockerfile"),
                "--target", image.target,
                "--build-arg", f"BASE={base}",
                "--label", f"{_RECIPE_LABEL}={recipe}",
                "--tag", image.name, str(context),
            ],
            limit=900,
            cure="check that apt-get reaches a Debian mirror in a container, then run this again",
            log=f"image-{image.target}-{image.version}",
            env={"DOCKER_BUILDKIT": "0"},
        )  # fmt: skip
        _check_version(image)
    return True


def _recipe(image: LocalImage) -> str:
    parts = [places.fingerprint(_FOLDER / "Dockerfile"), image.release]
    if image in _SOURCES:
        context, files = _SOURCES[image]
        parts += [places.fingerprint(*sorted(context.glob(files)))]
    return "-".join(parts)


def _label(name: str) -> str | None:
    template = f'{{{{index .Config.Labels "{_RECIPE_LABEL}"}}}}'
    found = steps.output_of(["docker", "image", "inspect", "--format", template, name])
    return found.strip() if found else None


def _check_version(image: LocalImage) -> None:
    """The tag promises a version: a renderer relies on it."""
    command = _VERSION_COMMANDS.get(image.target)
    if command is None:
        return
    script = " ".join(command) + " 2>&1"
    found = steps.output_of(
        ["docker", "run", "--rm", "--entrypoint", "sh", image.name, "-c", script], limit=60
    )
    words = (found or "").replace("/", " ").replace("v=", " ").split()
    versions = [tuple(int(n) for n in w.split(".")[:2]) for w in words if _is_version(w)]
    wanted = tuple(int(n) for n in image.version.split("."))
    if not versions or versions[0] < wanted:
        raise steps.SetupError(
            f"{image.name} holds {(found or 'nothing').strip()!r}, older than its tag",
            f"use a Debian mirror that has {image.target} {image.version} or newer",
        )


def _is_version(word: str) -> bool:
    parts = word.split("-", maxsplit=1)[0].split(".")
    return len(parts) >= 2 and all(p.isdigit() for p in parts[:2])


def _base(release: str) -> str:
    name = f"{NAMESPACE}/base:{release}"
    if steps.output_of(["docker", "image", "inspect", "--format", "{{.Id}}", name]):
        return name
    if not debian_packages.can_install():
        raise steps.SetupError(
            "no registry answers, and building images from packages needs root on Debian",
            "give the stack images that your Docker engine has or can pull, for example "
            "'pulumi config set katoImage registry.example.com/kato:6.3.0'",
        )
    _require_debootstrap()
    with (
        steps.step(f"Debian {release} base image"),
        tempfile.TemporaryDirectory(prefix="kato-lb-base-") as scratch,
    ):
        root = Path(scratch) / "root"
        # A release younger than the local debootstrap is set up by the script of "sid".
        script = Path("/usr/share/debootstrap/scripts") / release
        steps.run(
            [
                "debootstrap", "--variant=minbase", release, str(root),
                # An empty mirror means the script's own.
                _mirror() or "", str(script if script.exists() else script.with_name("sid")),
            ],
            limit=900,
            cure="check that apt-get update works on this machine, then run this again",
            log=f"debootstrap-{release}",
        )  # fmt: skip
        shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
        archive = Path(scratch) / "root.tar"
        steps.run(
            ["tar", "-C", str(root), "--create", "--file", str(archive), "."],
            limit=300, cure="free some space in the temporary folder", log=f"tar-{release}",
        )  # fmt: skip
        steps.run(
            ["docker", "import", str(archive), name],
            limit=300, cure="see 'docker info'", log=f"import-{release}",
        )  # fmt: skip
    return name


def _require_debootstrap() -> None:
    if not shutil.which("debootstrap"):
        debian_packages.install(_DEBOOTSTRAP)


def _mirror() -> str | None:
    """The Debian mirror of this machine's own package sources; None on other distributions."""
    listing = steps.output_of(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages"]
    )
    for line in (listing or "").splitlines():
        uri, _, label = line.partition(" ")
        if label == "Debian":
            return uri
    return None
