"""Official downloads: whole in the cache, or not there at all."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.toolchain import downloads

FILES = {"pulumi/pulumi": b"the tool" * 4000, "pulumi/pulumi-language-python": b"the host"}


def _in_cache(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def test_a_good_archive_is_unpacked_once(
    cache: Path,
    serve: Callable[..., str],
    archive: Callable[[dict[str, bytes]], bytes],
) -> None:
    first = downloads.pulumi("1.2.3", serve(200, archive(FILES)))
    again = downloads.pulumi("1.2.3", serve(404, b""))

    assert first == again == cache / "pulumi-release-1.2.3"
    assert (first / "pulumi").read_bytes() == FILES["pulumi/pulumi"]
    assert (first / "pulumi").stat().st_mode & 0o100
    assert _in_cache(cache) == ["pulumi-release-1.2.3"]


@pytest.mark.parametrize("kept", [0, 10, 60])
def test_a_truncated_archive_leaves_nothing(
    kept: int,
    cache: Path,
    serve: Callable[..., str],
    archive: Callable[[dict[str, bytes]], bytes],
) -> None:
    whole = archive(FILES)

    assert downloads.pulumi("1.2.3", serve(200, whole[:kept], len(whole))) is None
    assert _in_cache(cache) == []


@pytest.mark.parametrize("status", [404, 403, 500])
def test_an_error_page_leaves_nothing(
    status: int, cache: Path, serve: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert downloads.pulumi("1.2.3", serve(status, b"<html>no</html>")) is None

    assert _in_cache(cache) == []
    assert "out of reach" in capsys.readouterr().out


def test_something_that_is_no_archive_leaves_nothing(
    cache: Path, serve: Callable[..., str]
) -> None:
    assert downloads.pulumi("1.2.3", serve(200, b"<html>log in first</html>")) is None
    assert _in_cache(cache) == []


def test_an_archive_of_something_else_leaves_nothing(
    cache: Path, serve: Callable[..., str], archive: Callable[[dict[str, bytes]], bytes]
) -> None:
    assert downloads.pulumi("1.2.3", serve(200, archive({"other/x": b"x"}))) is None
    assert _in_cache(cache) == []


def test_an_archive_never_writes_outside_its_folder(
    cache: Path, serve: Callable[..., str], archive: Callable[[dict[str, bytes]], bytes]
) -> None:
    hostile = archive({"../../escaped": b"x", **FILES})

    assert downloads.pulumi("1.2.3", serve(200, hostile)) is None
    assert not (cache.parent / "escaped").exists()
    assert _in_cache(cache) == []


def test_a_refused_connection_leaves_nothing(cache: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"

        assert downloads.pulumi("1.2.3", address) is None
    assert _in_cache(cache) == []


def test_an_unknown_machine_has_no_download(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads.platform, "machine", lambda: "riscv64")

    assert downloads.pulumi("1.2.3", "http://127.0.0.1:1") is None
    assert _in_cache(cache) == []
