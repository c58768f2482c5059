"""kube-router's packet filter is apart from everybody else's, where the machine can do that."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.cluster import backends, layout


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a machine whose plain iptables has this version, beside these other programs."""

    def make(version: str, *programs: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in ("iptables", *programs):
            (folder / name).write_text(
                f"#!/bin/sh\necho {version if name == 'iptables' else name}\n"
            )
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.setattr(layout, "HOME", tmp_path / "home")

    return make


@pytest.mark.parametrize(
    ("version", "other"), [("'iptables v1.8.9 (nf_tables)'", "legacy"), ("iptables v1.8.9", "nft")]
)
def test_kube_router_gets_what_plain_iptables_is_not(
    version: str, other: str, machine: Callable[..., None]
) -> None:
    endings = ("", "-save", "-restore")
    machine(version, *(f"iptables-{other}{ending}" for ending in endings))

    path = backends.environment()["PATH"].split(":")[0]

    for ending in endings:
        link = Path(path) / f"iptables{ending}"
        said = subprocess.run(
            ["/bin/sh", str(link)], capture_output=True, text=True, check=True
        ).stdout
        assert said == f"iptables-{other}{ending}\n"
    assert backends.environment()["PATH"].split(":")[0] == path, "a second start"


def test_a_machine_with_one_backend_shares_it(
    machine: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    machine("'iptables v1.8.9 (nf_tables)'")

    assert backends.environment() == {}
    assert "kube-router shares iptables with Docker" in "".join(capsys.readouterr())


def test_every_backend_is_cleaned(machine: Callable[..., None]) -> None:
    machine("x", "iptables-save", "iptables-nft-save", "iptables-legacy-save", "ip6tables-save")

    assert list(backends.savers()) == [
        ("iptables-nft-save", "iptables-nft-restore"),
        ("iptables-legacy-save", "iptables-legacy-restore"),
        ("ip6tables-save", "ip6tables-restore"),
    ]
