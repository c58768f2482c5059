"""Images of the cluster's own programs, and the names under which pods ask for images."""

import hashlib
import io
import json
import tarfile

import pytest

from dev.cluster import images


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("redis:8.0", "docker.io/library/redis:8.0"),
        ("kato-lb/nginx:1.30", "docker.io/kato-lb/nginx:1.30"),
        ("registry.example.com/kato:6", "registry.example.com/kato:6"),
        ("localhost/kato:6", "localhost/kato:6"),
        ("box:5000/kato:6", "box:5000/kato:6"),
    ],
)
def test_a_short_name_is_one_of_the_default_registry(name: str, full: str) -> None:
    assert images.reference(name) == full


def test_an_image_of_one_program_starts_that_program() -> None:
    with tarfile.open(fileobj=io.BytesIO(images.archive("a/b:1", "tool", b"\x7fELF"))) as outer:
        files = {entry.name: outer.extractfile(entry) for entry in outer}
        read = {name: file.read() for name, file in files.items() if file}
    (manifest,) = json.loads(read["manifest.json"])
    config = json.loads(read[manifest["Config"]])
    (layer,) = manifest["Layers"]
    assert manifest["RepoTags"] == ["a/b:1"]
    assert config["config"]["Entrypoint"] == ["/tool"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(read[layer]).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(read[layer])) as inner:
        (entry,) = inner.getmembers()
        assert (entry.name, entry.mode) == ("tool", 0o755)


def test_the_same_program_gives_the_same_image() -> None:
    assert images.archive("a:1", "x", b"1") == images.archive("a:1", "x", b"1")
